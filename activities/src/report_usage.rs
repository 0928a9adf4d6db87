//! `report_usage`: sends whatever usage is overdue, from whatever cause, and top-ups; asks for accounts with credits; tells of
//! changed and closed tenants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio_util::sync::CancellationToken;

use crate::billing_delivery::{BillingDelivery, CreditPace};

/// Rows younger than this are left to their job's own meter activity.
const AGE_SECONDS: f64 = 60.0;
/// Rows that are asked for at once ...
const AT_ONCE: i64 = 1000;
/// ... as long as there are so many and this time is not over: a backlog does not wait for the next turn.
const BACKLOG: Duration = Duration::from_secs(30);

/// A worker forgets gauges that nobody has set for a minute.
const BETWEEN_TELLING: Duration = Duration::from_secs(20);

pub struct ReportUsage {
    pub pool: PgPool,
    pub billing: Option<Arc<BillingDelivery>>,
}

#[activities]
impl ReportUsage {
    #[activity(name = "report_usage")]
    pub async fn report_usage(self: Arc<Self>, _ctx: ActivityContext) -> Result<u32, ActivityError> {
        let Some(billing) = &self.billing else { return Ok(0) };
        // Before anything that waits for Lago: admissions need it most when Lago is away.
        if let Err(error) = billing.gather_credits(CreditPace::default()).await {
            tracing::warn!(error = format!("{error:#}"), "what waits for the billing system was not added up");
        }
        let delivered = delivers(&self.pool, billing).await;
        // What cannot be settled was told, and is the next turn's: it holds back nobody's usage.
        if let Err(error) = Box::pin(billing.settle_credits(CreditPace::default())).await {
            tracing::debug!(error = format!("{error:#}"), "credits wait for the next turn");
        }
        // A tenant whose rows cannot be delivered does not hold back another one's change of plan.
        billing.settle_accounts().await?;
        Ok(delivered?)
    }
}

/// Tells what waits, again and again, whatever the turns wait for, until `stop`.
pub async fn keep_backlog_told(pool: PgPool, stop: CancellationToken) {
    loop {
        match usage::backlog(&pool).await {
            Ok(backlog) => {
                metrics::gauge!("zama_usage_undelivered").set(backlog.rows as f64);
                metrics::gauge!("zama_usage_undelivered_oldest_seconds").set(backlog.oldest_seconds);
            }
            Err(error) => tracing::debug!(%error, "what waits for its delivery is not known"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(BETWEEN_TELLING)).await.is_none() {
            return;
        }
    }
}

/// Sends what is overdue; tells how much.
async fn delivers(pool: &PgPool, billing: &BillingDelivery) -> anyhow::Result<u32> {
    let begun = Instant::now();
    let (mut delivered, mut failed) = (0, None);
    loop {
        let rows = usage::overdue(pool, AGE_SECONDS, AT_ONCE).await?;
        let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < AT_ONCE;
        let turn = billing.delivers_what_it_can(rows).await;
        delivered += turn.delivered;
        failed = failed.or(turn.failed);
        if is_all || turn.delivered == 0 || begun.elapsed() > BACKLOG {
            return failed.map_or(Ok(delivered), Err);
        }
    }
}
