//! How many calls each tenant makes in an hour (UTC): counted in the process, told to the database every few seconds.
//!
//! A request adds to a counter that it shares with nobody who waits: only the first one of a tenant in an hour makes it.
//! What is told is what was counted in all, so that telling it twice changes nothing. A kill -9 loses what was counted
//! since the last time: never more, and never a call of another process.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use jobs::TenantId;
use store::usage::hours::{CallCount, count_calls};
use store::{PgPool, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long an hour is remembered: far longer than any outage of the database in which calls were answered.
const REMEMBERED: TimeDelta = TimeDelta::days(3);
/// Counts in one statement.
const LOT: usize = 1000;

/// One for the whole server.
pub struct CallMeter {
    node: Uuid,
    hours: RwLock<BTreeMap<DateTime<Utc>, HashMap<TenantId, Tally>>>,
}

/// A tenant's calls in an hour.
#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    /// How many of them the database knows.
    told: AtomicU64,
}

impl Default for CallMeter {
    fn default() -> Self {
        Self { node: Uuid::new_v4(), hours: RwLock::default() }
    }
}

impl CallMeter {
    /// Counts a call that was answered now.
    pub fn count(&self, tenant: &TenantId, now: DateTime<Utc>) {
        let Ok(hour) = now.duration_trunc(TimeDelta::hours(1)) else { return };
        let known = self.hours.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = known.get(&hour).and_then(|tenants| tenants.get(tenant)) {
            tally.calls.fetch_add(1, Ordering::Relaxed);
            return;
        }
        drop(known);
        let mut known = self.hours.write().unwrap_or_else(PoisonError::into_inner);
        let tally = known.entry(hour).or_default().entry(tenant.clone()).or_default();
        *tally.calls.get_mut() += 1;
    }

    /// Tells the database what it does not know yet.
    ///
    /// # Errors
    /// The database is away: the next time tells it.
    pub async fn tell(&self, pool: &PgPool) -> Result<(), StoreError> {
        for lot in self.untold().chunks(LOT) {
            count_calls(pool, self.node, lot).await?;
            self.note(lot);
        }
        let oldest = Utc::now() - REMEMBERED;
        self.hours.write().unwrap_or_else(PoisonError::into_inner).retain(|hour, _| *hour > oldest);
        Ok(())
    }

    /// Tells the database every `every` until `stop`, and once more then.
    pub async fn watch(&self, pool: PgPool, every: Duration, stop: CancellationToken) {
        let mut is_over = false;
        while !is_over {
            is_over = stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none();
            if let Err(error) = self.tell(&pool).await {
                tracing::debug!(%error, "the counts of calls are told later");
            }
        }
    }

    fn untold(&self) -> Vec<CallCount> {
        let known = self.hours.read().unwrap_or_else(PoisonError::into_inner);
        let all =
            known.iter().flat_map(|(hour, tenants)| tenants.iter().map(move |(tenant, tally)| (hour, tenant, tally)));
        all.filter_map(|(hour, tenant, tally)| {
            let calls = tally.calls.load(Ordering::Relaxed);
            let is_new = calls > tally.told.load(Ordering::Relaxed);
            is_new.then(|| CallCount { tenant: tenant.to_string(), hour: *hour, calls })
        })
        .collect()
    }

    fn note(&self, told: &[CallCount]) {
        let known = self.hours.read().unwrap_or_else(PoisonError::into_inner);
        for count in told {
            let Ok(tenant) = count.tenant.parse::<TenantId>() else { continue };
            if let Some(tally) = known.get(&count.hour).and_then(|tenants| tenants.get(&tenant)) {
                tally.told.fetch_max(count.calls, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(meter: &CallMeter) -> Vec<(String, String, u64)> {
        let untold = meter.untold().into_iter();
        let mut counts: Vec<_> =
            untold.map(|count| (count.hour.format("%dT%H").to_string(), count.tenant, count.calls)).collect();
        counts.sort();
        counts
    }

    #[test]
    fn calls_are_counted_by_tenant_and_hour_and_what_was_told_is_not_told_again() {
        let meter = CallMeter::default();
        let (acme, other): (TenantId, TenantId) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        meter.count(&acme, at("2026-11-30T22:59:59.999Z"));
        for _ in 0..2 {
            meter.count(&acme, at("2026-11-30T23:00:00Z"));
        }
        meter.count(&other, at("2026-11-30T23:59:59.9Z"));
        let all = [("30T22", "acme", 1), ("30T23", "acme", 2), ("30T23", "other", 1)];
        assert_eq!(counts(&meter), all.map(|(hour, tenant, calls)| (hour.to_owned(), tenant.to_owned(), calls)));
        meter.note(&meter.untold());
        assert_eq!(counts(&meter), []);
        meter.count(&acme, at("2026-11-30T23:30:00Z"));
        assert_eq!(counts(&meter), [("30T23".to_owned(), "acme".to_owned(), 3)], "the whole, not what is new");
    }

    #[test]
    fn no_call_is_lost_between_many_threads() {
        let meter = CallMeter::default();
        let now = Utc::now();
        std::thread::scope(|scope| {
            for tenant in ["a", "b", "a", "b"] {
                let meter = &meter;
                scope.spawn(move || (0..10_000).for_each(|_| meter.count(&tenant.parse().unwrap(), now)));
            }
        });
        assert!(meter.untold().iter().all(|count| count.calls == 20_000), "{:?}", meter.untold());
    }
}
