//! `reconcile`: holds the ledger against the billing system, and tells what disagrees.

use std::sync::Arc;

use chrono::{Datelike as _, Utc};
use store::PgPool;
use store::usage::dead_letters;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::Reconciled;

use crate::reconciliation::{Month, Reconciler, TenantReport};

/// Days of a month on which the one before is looked at, too.
const DAYS_FOR_THE_LAST_MONTH: u32 = 3;

pub struct Reconcile {
    pub pool: PgPool,
    /// Absent when no billing system is configured.
    pub reconciler: Option<Reconciler>,
}

#[activities]
impl Reconcile {
    #[activity(name = "reconcile")]
    pub async fn reconcile(self: Arc<Self>, _ctx: ActivityContext) -> Result<Reconciled, ActivityError> {
        let Some(reconciler) = &self.reconciler else { return Ok(Reconciled::default()) };
        let now = Utc::now();
        let month = Month::of(now);
        let mut reports = reconciler.all(month, None).await?;
        let mut found = told(&reports);
        if now.day() <= DAYS_FOR_THE_LAST_MONTH {
            reports = reconciler.all(month.before(), None).await?;
            found.drifting += told(&reports).drifting;
        }
        found.dead_letters = dead_letters::count(&self.pool).await?;
        metrics::counter!("zama_billing_reconciliations_total").increment(1);
        metrics::counter!("zama_billing_drift_total").increment(found.drifting.into());
        Ok(found)
    }
}

/// What there is to say of a month; each metric that disagrees is logged.
fn told(reports: &[TenantReport]) -> Reconciled {
    let mut found = Reconciled { tenants: u32::try_from(reports.len()).unwrap_or(u32::MAX), ..Reconciled::default() };
    for report in reports {
        found.waiting += report.waiting;
        for line in report.lines.iter().filter(|line| line.has_drifted()) {
            found.drifting += 1;
            tracing::error!(
                tenant.id = report.tenant,
                usage.metric = line.metric,
                billing.month = %report.month,
                ledger = %line.ledger,
                events = %line.events,
                "ledger and billing system disagree: zama-jobs billing reconcile"
            );
        }
    }
    found
}
