//! `report_usage`: sends whatever usage is overdue, from whatever cause, and tells of changed and closed tenants.

use std::sync::Arc;

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::billing_delivery::BillingDelivery;

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
        // A tenant whose rows cannot be delivered does not hold back another one's change of plan.
        billing.settle_accounts().await?;
        Ok(delivered?)
    }
}
