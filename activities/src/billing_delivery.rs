//! Ledger rows to the billing system: what the `meter` and `report_usage` activities share.

mod accounts;
mod credits;
mod dead_letters;
mod event;
mod fate;
mod overdue;
mod periods;
mod plans;
mod sending;
mod subscriptions;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use billing::{ExternalId, LagoClient};
use chrono::TimeDelta;
use jobs::usage::Metric;
use store::PgPool;
use store::usage::{self, UsageRow};
use tokio::sync::Mutex;

use accounts::ENDS_AFTER;
pub use accounts::Standing;
pub use credits::CreditPace;
use dead_letters::{CLOSED, ENDED};
pub use event::event;
pub(crate) use event::measured;
use fate::IN_DOUBT;
use periods::Period;
pub use subscriptions::Unsubscribed;
pub(crate) use subscriptions::unsubscribed;

/// How long a turn takes.
const TURN_TIME: Duration = Duration::from_secs(60);
/// How long one tenant's rows are asked about, which leaves a job's `meter` most of its attempt's minute.
const ASKING_TIME: Duration = Duration::from_secs(20);
/// About how many rows of a tenant whose subscription has ended a turn asks.
const ASKED_AT_MOST: usize = 100;

/// The way to the billing system.
pub struct BillingDelivery {
    pub pool: PgPool,
    pub lago: Arc<LagoClient>,
    /// Plan of a tenant that billing does not know yet.
    pub default_plan: String,
    /// How long after its period's end nobody knows whether a row was taken.
    pub in_doubt: TimeDelta,
    /// After which a turn of the reporter begins with no other tenant; the next one begins there.
    pub turn_time: Duration,
    /// About how many rows of a tenant whose subscription has ended a turn asks; the next one asks about those behind them.
    pub asked_at_most: usize,
    /// How long a tenant has been closed before its subscription is terminated.
    pub ends_after: Duration,
    periods: Mutex<HashMap<String, Period>>,
    /// Metrics that were there a moment ago.
    metrics: Mutex<HashMap<Metric, Instant>>,
    /// Tenant that the last turn had no time for.
    resume: Mutex<Option<String>>,
    /// The row that was asked about last, of each tenant whose subscription has ended.
    asked_last: Mutex<HashMap<String, String>>,
}

impl BillingDelivery {
    #[must_use]
    pub fn new(pool: PgPool, lago: Arc<LagoClient>, default_plan: String) -> Self {
        Self {
            pool,
            lago,
            default_plan,
            in_doubt: IN_DOUBT,
            turn_time: TURN_TIME,
            asked_at_most: ASKED_AT_MOST,
            ends_after: ENDS_AFTER,
            periods: Mutex::default(),
            metrics: Mutex::default(),
            resume: Mutex::default(),
            asked_last: Mutex::default(),
        }
    }

    /// Sends rows, and notes what became of each. Tells how many were delivered. A tenant whose rows cannot be
    /// delivered does not hold back the others; those of one whose subscription has ended are set aside.
    ///
    /// # Errors
    /// Database or billing system away, or a tenant without a subscription that has not begun: rows that were not noted
    /// are sent again, and found to be duplicates.
    pub async fn deliver(&self, rows: Vec<UsageRow>) -> Result<u32> {
        let (mut delivered, mut failed) = (0, None);
        for (tenant, rows) in by_tenant(rows) {
            match self.deliver_tenant(&tenant, rows).await {
                Ok(count) => delivered += count,
                Err(error) => drop(failed.get_or_insert_with(|| error.context(format!("usage of {tenant}")))),
            }
        }
        failed.map_or(Ok(delivered), Err)
    }

    async fn deliver_tenant(&self, tenant: &str, rows: Vec<UsageRow>) -> Result<u32> {
        let account = ExternalId::parse(tenant)?;
        if self.ensure_account(tenant, &account).await? == Standing::Ended {
            return self.set_aside(&account, rows, CLOSED).await;
        }
        let looked = Instant::now();
        let Some(period_start) = self.period_start(tenant, &account).await? else {
            return self.set_aside(&account, rows, ENDED).await;
        };
        // Durable before the first send: a repeat must be the same event, whatever day it is by then.
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let frozen = usage::freeze(&self.pool, &ids, period_start).await?;
        let (mut open, mut doubted) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let billed_at = *frozen.get(&row.id).context("the row is gone")?;
            if billed_at >= period_start { open.push((row, billed_at)) } else { doubted.push((row, billed_at)) }
        }
        // Neither holds back the other.
        let sent = self.send_rows(tenant, &account, open, looked).await;
        let decided = self.decide(&account, doubted, period_start + self.in_doubt).await;
        Ok(sent?.saturating_add(decided?))
    }
}

fn by_tenant(rows: Vec<UsageRow>) -> BTreeMap<String, Vec<UsageRow>> {
    let mut by_tenant: BTreeMap<String, Vec<UsageRow>> = BTreeMap::new();
    for row in rows {
        by_tenant.entry(row.tenant.clone()).or_default().push(row);
    }
    by_tenant
}
