//! `report_usage`: sends whatever usage is overdue, from whatever cause, and top-ups; asks for accounts with credits; tells of
//! changed and closed tenants.

use std::sync::Arc;

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::billing_delivery::{BillingDelivery, CreditPace};

/// Rows younger than this are left to their job's own meter activity.
const AGE_SECONDS: f64 = 60.0;
/// Rows in one turn.
const TURN: i64 = 1000;

pub struct ReportUsage {
    pub pool: PgPool,
    pub billing: Option<Arc<BillingDelivery>>,
}

#[activities]
impl ReportUsage {
    #[activity(name = "report_usage")]
    pub async fn report_usage(self: Arc<Self>, _ctx: ActivityContext) -> Result<u32, ActivityError> {
        let Some(billing) = &self.billing else { return Ok(0) };
        let rows = usage::overdue(&self.pool, AGE_SECONDS, TURN).await?;
        let delivered = billing.deliver(rows).await;
        // What cannot be settled was told, and is the next turn's: it holds back nobody's usage.
        if let Err(error) = Box::pin(billing.settle_credits(CreditPace::default())).await {
            tracing::debug!(error = format!("{error:#}"), "credits wait for the next turn");
        }
        // A tenant whose rows cannot be delivered does not hold back another one's change of plan.
        billing.settle_accounts().await?;
        Ok(delivered?)
    }
}
