//! Starting workflows: woken at once by an admission, and by the sweep for what a dead process left. As many starts as
//! the policy allows are always in flight while the backlog lasts: neither claiming the next nor noting the last holds
//! them up.

mod claims;
mod notes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use store::PgPool;
use temporal::Engine;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Policy;
use claims::Claims;
use notes::{Notes, Outcome};

/// Outcomes that may wait to be noted; a database that is slow to take them slows the starts down.
const UNNOTED: usize = 256;
/// Pause after a start that met an absent Temporal.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(pool: PgPool, engine: Engine, policy: Policy, wake: Arc<Notify>, stop: CancellationToken) {
    let trouble = Trouble::new(wake);
    let (outcomes, unnoted) = mpsc::channel(UNNOTED);
    let notes = Notes::new(pool.clone(), policy.sweep, &trouble);
    let concurrency = policy.concurrency;
    let claims = Claims::new(pool, policy, stop, &trouble);
    let starting = async move {
        let start = async |start| {
            let result = engine.start_job(&start).await;
            // The notes end after the last start.
            _ = outcomes.send(Outcome { start, result }).await;
        };
        claims.stream().for_each_concurrent(concurrency, start).await;
    };
    tokio::join!(starting, notes.run(unnoted));
}

/// How the notes tell the claims that Temporal is away, so that the backlog is not run through in vain.
struct Trouble {
    met: AtomicBool,
    wake: Arc<Notify>,
}

impl Trouble {
    fn new(wake: Arc<Notify>) -> Self {
        Self { met: AtomicBool::new(false), wake }
    }

    /// Starts wait, and are to be tried again after a pause.
    fn meet(&self) {
        self.met.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    fn take(&self) -> bool {
        self.met.swap(false, Ordering::Relaxed)
    }

    /// Until a start is committed, or the last trouble told.
    async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// What was complained of last: each trouble is told when it begins, not again and again.
#[derive(Default)]
struct Complaints(Option<String>);

impl Complaints {
    fn tell(&mut self, complaint: Option<String>) {
        if complaint == self.0 {
            return;
        }
        match &complaint {
            Some(error) => tracing::warn!(error, "starts wait"),
            None => tracing::info!("starts wait no longer"),
        }
        self.0 = complaint;
    }
}
