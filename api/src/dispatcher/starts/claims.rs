//! What is to be started next: claimed from the outbox as the last claim runs out.

use std::collections::VecDeque;

use futures::stream::{self, Stream};
use jobs::JobId;
use store::PgPool;
use store::starts::{self, PendingStart};
use tokio_util::sync::CancellationToken;

use super::{Complaints, PAUSE, Trouble};
use crate::dispatcher::Policy;

/// Starts of one tenant in one claim: what makes the order fair.
const PER_TENANT: i64 = 64;
/// Starts in one claim.
const CLAIM: i64 = 256;

pub(super) struct Claims<'a> {
    pool: PgPool,
    policy: Policy,
    stop: CancellationToken,
    trouble: &'a Trouble,
    claimed: VecDeque<PendingStart>,
    complaints: Complaints,
}

impl<'a> Claims<'a> {
    pub(super) fn new(pool: PgPool, policy: Policy, stop: CancellationToken, trouble: &'a Trouble) -> Self {
        Self { pool, policy, stop, trouble, claimed: VecDeque::new(), complaints: Complaints::default() }
    }

    /// Every start that is due, until the process stops.
    pub(super) fn stream(self) -> impl Stream<Item = PendingStart> {
        stream::unfold(self, async |mut claims| claims.next().await.map(|start| (start, claims)))
    }

    async fn next(&mut self) -> Option<PendingStart> {
        loop {
            if self.stop.is_cancelled() {
                self.give_back().await;
                return None;
            }
            if self.trouble.take() {
                self.give_back().await;
                self.pause().await;
                continue;
            }
            if let Some(start) = self.claimed.pop_front() {
                return Some(start);
            }
            match starts::claim(&self.pool, PER_TENANT, CLAIM, self.policy.claim.as_secs_f64()).await {
                Ok(claimed) if claimed.is_empty() => {
                    self.complaints.tell(None);
                    self.idle().await;
                }
                Ok(claimed) => {
                    self.complaints.tell(None);
                    self.claimed = claimed.into();
                }
                Err(error) => {
                    self.complaints.tell(Some(format!("starts could not be claimed: {error}")));
                    self.pause().await;
                }
            }
        }
    }

    /// Nothing waits: until something does, or the sweep.
    async fn idle(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.trouble.woken() => {}
            () = tokio::time::sleep(self.policy.sweep) => {}
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }

    /// What is claimed and not begun is anybody's again, and need not wait until the claim runs out.
    async fn give_back(&mut self) {
        let unbegun: Vec<JobId> = self.claimed.drain(..).map(|start| start.job_id).collect();
        if !unbegun.is_empty()
            && let Err(error) = starts::release(&self.pool, &unbegun, 0.0).await
        {
            tracing::debug!(%error, "claims could not be given back; they run out");
        }
    }
}
