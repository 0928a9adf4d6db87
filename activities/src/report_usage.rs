//! `report_usage`: sends whatever usage is overdue, from whatever cause, and top-ups; asks for accounts with credits; tells of
//! changed and closed tenants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::billing_delivery::{BillingDelivery, CreditPace};

/// Rows younger than this are left to their job's own meter activity.
const AGE_SECONDS: f64 = 60.0;
/// Rows that are asked for at once ...
const AT_ONCE: i64 = 1000;
/// ... as long as there are so many and this time is not over: a backlog does not wait for the next turn.
const BACKLOG: Duration = Duration::from_secs(30);

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
        tells_of_backlog(&self.pool).await?;
        // What cannot be settled was told, and is the next turn's: it holds back nobody's usage.
        if let Err(error) = Box::pin(billing.settle_credits(CreditPace::default())).await {
            tracing::debug!(error = format!("{error:#}"), "credits wait for the next turn");
        }
        // A tenant whose rows cannot be delivered does not hold back another one's change of plan.
        billing.settle_accounts().await?;
        Ok(delivered?)
    }
}

async fn tells_of_backlog(pool: &PgPool) -> anyhow::Result<()> {
    let backlog = usage::backlog(pool).await?;
    metrics::gauge!("zama_usage_undelivered").set(backlog.rows as f64);
    metrics::gauge!("zama_usage_undelivered_oldest_seconds").set(backlog.oldest_seconds);
    Ok(())
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
