//! What nobody delivered in time: tenants take turns, and a turn has its end.

use std::time::{Duration, Instant};

use anyhow::Result;
use store::usage::{self, UsageRow};

use super::{BillingDelivery, by_tenant};

/// Rows that are asked for at once ...
const AT_ONCE: i64 = 1000;
/// ... as long as there are so many and this time is not over: a backlog does not wait for the next turn.
const BACKLOG: Duration = Duration::from_secs(30);

/// What became of some rows.
#[derive(Default)]
struct Turn {
    /// How many were delivered.
    delivered: u32,
    /// What stopped the first tenant's of which some were not.
    failed: Option<anyhow::Error>,
}

impl BillingDelivery {
    /// Sends what nobody delivered for so long; tells how much. A tenant whose rows cannot be delivered does not hold back
    /// the others, and a turn that runs out of time is gone on with by the next one.
    ///
    /// # Errors
    /// The database is away, or what stopped the first tenant's rows; the others' were delivered all the same.
    pub async fn deliver_overdue(&self, age_seconds: f64) -> Result<u32> {
        let begun = Instant::now();
        let (mut delivered, mut failed) = (0, None);
        loop {
            let rows = usage::overdue(&self.pool, age_seconds, AT_ONCE).await?;
            let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < AT_ONCE;
            let turn = Box::pin(self.deliver_what_it_can(rows)).await;
            delivered += turn.delivered;
            failed = failed.or(turn.failed);
            if is_all || turn.delivered == 0 || begun.elapsed() > BACKLOG {
                return failed.map_or(Ok(delivered), Err);
            }
        }
    }

    /// As [`Self::deliver`] with many tenants: tells how many were delivered whatever stopped the others, and takes no longer
    /// than a turn may, but for one tenant at least.
    async fn deliver_what_it_can(&self, rows: Vec<UsageRow>) -> Turn {
        let mut by_tenant = by_tenant(rows);
        let mut turn = Turn::default();
        let begun = Instant::now();
        // Those that had to wait come first: slow ones keep nobody waiting for ever.
        let first = self.resume.lock().await.clone().unwrap_or_default();
        let waited = by_tenant.split_off(&first);
        let mut tenants = waited.into_iter().chain(by_tenant).peekable();
        while let Some((tenant, rows)) = tenants.next() {
            match self.deliver_tenant(&tenant, rows).await {
                Ok(count) => turn.delivered += count,
                Err(error) => {
                    tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "usage was not delivered");
                    turn.failed.get_or_insert_with(|| error.context(format!("usage of {tenant}")));
                }
            }
            let next = tenants.peek().map(|(next, _)| next.clone());
            if begun.elapsed() >= self.turn_time && next.is_some() {
                *self.resume.lock().await = next;
                return turn;
            }
        }
        *self.resume.lock().await = None;
        turn
    }
}
