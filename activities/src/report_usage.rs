//! `report_usage`: sends whatever usage is overdue, from whatever cause, and top-ups; asks for accounts with credits; tells of
//! changed and closed tenants.

use std::sync::Arc;
use std::time::Duration;

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio_util::sync::CancellationToken;

use crate::billing_delivery::{BillingDelivery, CreditPace};

/// Rows younger than this are left to their job's own meter activity.
const AGE_SECONDS: f64 = 60.0;

/// A worker forgets gauges that nobody has set for a minute.
const BETWEEN_TELLING: Duration = Duration::from_secs(20);

pub struct ReportUsage {
    pub billing: Option<Arc<BillingDelivery>>,
}

#[activities]
impl ReportUsage {
    #[activity(name = "report_usage")]
    pub async fn report_usage(self: Arc<Self>, _ctx: ActivityContext) -> Result<u32, ActivityError> {
        Ok(self.turn(AGE_SECONDS).await?)
    }
}

impl ReportUsage {
    /// One turn, over rows that nobody delivered for so long. Tells how many were delivered.
    ///
    /// # Errors
    /// Database or billing system away, or what stopped the first tenant; the others had their turn.
    pub async fn turn(&self, age_seconds: f64) -> anyhow::Result<u32> {
        let Some(billing) = &self.billing else { return Ok(0) };
        // Before anything that waits for Lago: admissions need it most when Lago is away.
        if let Err(error) = billing.gather_credits(CreditPace::default()).await {
            tracing::warn!(error = format!("{error:#}"), "what waits for the billing system was not added up");
        }
        let delivered = billing.deliver_overdue(age_seconds).await;
        // What cannot be settled was told, and is the next turn's: it holds back nobody's usage.
        if let Err(error) = Box::pin(billing.settle_credits(CreditPace::default())).await {
            tracing::debug!(error = format!("{error:#}"), "credits wait for the next turn");
        }
        // A tenant whose rows cannot be delivered does not hold back another one's change of plan.
        Box::pin(billing.settle_accounts()).await?;
        delivered
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
