//! What this process found when it compared the books last, as gauges.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use workflows::activities::{Reconciled, ReconciledMonth};

/// Metrics that disagree, months without their invoice, and accounts without a subscription, by month.
const DRIFT: &str = "zama_billing_drift";
/// Tenants whose books could not be read, by month.
const UNREAD: &str = "zama_billing_unread";
/// When the books were compared last, in Unix seconds.
const TIME: &str = "zama_billing_reconciled_timestamp_seconds";
/// Between two times that the gauges are set: a worker forgets those that nobody has set for a minute.
const AGAIN: Duration = Duration::from_secs(15);

/// The last look of this process. Any worker may look next time, and does not tell the others: so what disagreed is told
/// until a little after that, and not for ever. The time of a look stays true.
#[derive(Clone)]
pub struct LastLook {
    holds: Duration,
    look: Arc<Mutex<Option<Look>>>,
}

struct Look {
    since: Instant,
    at: DateTime<Utc>,
    months: Vec<ReconciledMonth>,
}

impl LastLook {
    /// Nobody has looked yet; somebody does every so often.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        Self { holds: every.saturating_add(every / 4), look: Arc::default() }
    }

    /// Tells what was found, from now on.
    pub fn found(&self, found: &Reconciled) {
        let look = Look { since: Instant::now(), at: Utc::now(), months: found.months.clone() };
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        self.tell(Instant::now());
    }

    /// Tells it again and again, until `stop`.
    pub async fn keep_told(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_some() {
            self.tell(Instant::now());
        }
    }

    fn tell(&self, now: Instant) {
        let look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(look) = look.as_ref() else { return };
        metrics::gauge!(TIME).set(look.at.timestamp() as f64);
        for found in look.months_at(now, self.holds) {
            metrics::gauge!(DRIFT, "month" => found.month.clone()).set(f64::from(found.drifting));
            metrics::gauge!(UNREAD, "month" => found.month.clone()).set(f64::from(found.unread));
        }
    }
}

impl Look {
    /// What is still told.
    fn months_at(&self, now: Instant, holds: Duration) -> &[ReconciledMonth] {
        if now.duration_since(self.since) <= holds { &self.months } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_is_told_until_somebody_should_have_looked_again() {
        let hour = Duration::from_secs(3600);
        let LastLook { holds, .. } = LastLook::every(hour);
        let since = Instant::now();
        let months = vec![ReconciledMonth { month: "2026-11".to_owned(), drifting: 2, ..ReconciledMonth::default() }];
        let look = Look { since, at: Utc::now(), months: months.clone() };
        for told in [Duration::ZERO, hour, hour + hour / 5] {
            assert_eq!(look.months_at(since + told, holds), months, "{told:?}");
        }
        assert!(look.months_at(since + hour + hour / 2, holds).is_empty());
    }
}
