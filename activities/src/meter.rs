//! `meter`: sends one job's usage to the billing system. Retried without end; never delays the job.

use std::sync::Arc;

use store::{PgPool, usage};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::JobRef;

use crate::billing_delivery::BillingDelivery;

pub struct Meter {
    pub pool: PgPool,
    /// Absent when no billing system is configured: the ledger keeps the rows.
    pub billing: Option<Arc<BillingDelivery>>,
}

#[activities]
impl Meter {
    #[activity(name = "meter")]
    pub async fn meter(self: Arc<Self>, _ctx: ActivityContext, job: JobRef) -> Result<u32, ActivityError> {
        let Some(billing) = &self.billing else { return Ok(0) };
        let rows = usage::due_for_job(&self.pool, job.job_id).await?;
        Ok(billing.deliver(rows).await?)
    }
}
