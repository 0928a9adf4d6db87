//! `reconcile`: holds the ledger against the billing system, and tells what disagrees.

mod last_look;

use std::sync::Arc;

use chrono::Utc;
use store::PgPool;
use store::usage::dead_letters;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::{Reconciled, ReconciledMonth};

use crate::patience::beating;
use crate::reconciliation::{Month, Reconciler, TenantReport};

pub use last_look::LastLook;

/// Metrics that disagree, and tenants that could not be read, which a result names of a month: the command tells all.
const NAMED: usize = 20;

pub struct Reconcile {
    pub pool: PgPool,
    /// Absent when no billing system is configured.
    pub reconciler: Option<Reconciler>,
    pub last_look: LastLook,
}

#[activities]
impl Reconcile {
    #[activity(name = "reconcile")]
    pub async fn reconcile(self: Arc<Self>, ctx: ActivityContext) -> Result<Reconciled, ActivityError> {
        let Some(reconciler) = &self.reconciler else { return Ok(Reconciled::default()) };
        Ok(Box::pin(beating(&ctx, || (), self.look(reconciler))).await??)
    }
}

impl Reconcile {
    /// Looks at the open month, and at the one before as long as it is open: its invoices are made in its first days, and
    /// finance may change them all the time. Tenants that cannot be read are told with what was found of the others; if none
    /// can, this is tried again.
    async fn look(&self, reconciler: &Reconciler) -> anyhow::Result<Reconciled> {
        let open = Month::of(Utc::now());
        let mut months = Vec::new();
        let mut is_read = false;
        for month in [open, open.before()] {
            let reports = reconciler.all(month, None).await?;
            is_read |= reports.iter().any(|report| report.has_account && report.unread.is_none());
            months.push(told(month, &reports));
        }
        if let (false, Some(first)) = (is_read, months.iter().find_map(|month| month.unread_named.first())) {
            anyhow::bail!("no tenant's books could be read; {first}");
        }
        let found = Reconciled { months, dead_letters: dead_letters::count(&self.pool).await? };
        metrics::counter!("zama_billing_reconciliations_total").increment(1);
        let drifting: u64 = found.months.iter().map(|month| u64::from(month.drifting)).sum();
        metrics::counter!("zama_billing_drift_total").increment(drifting);
        self.last_look.found(&found);
        Ok(found)
    }
}

/// What there is to say of a month; each metric that disagrees is logged.
fn told(month: Month, reports: &[TenantReport]) -> ReconciledMonth {
    let mut found = ReconciledMonth { month: month.to_string(), ..ReconciledMonth::default() };
    for report in reports {
        if let Some(reason) = &report.unread {
            found.unread += 1;
            if found.unread_named.len() < NAMED {
                found.unread_named.push(format!("{}: {reason}", report.tenant));
            }
            tracing::error!(
                tenant.id = report.tenant,
                billing.month = %month,
                reason,
                "ledger and billing system could not be compared: zama-jobs billing reconcile"
            );
            continue;
        }
        found.tenants += 1;
        found.waiting += report.waiting;
        for line in report.lines.iter().filter(|line| line.has_drifted()) {
            found.drifting += 1;
            if found.named.len() < NAMED {
                found.named.push(format!("{} {}", report.tenant, line.metric));
            }
            tracing::error!(
                tenant.id = report.tenant,
                tenant.has_account = report.has_account,
                usage.metric = line.metric,
                billing.month = %month,
                ledger = %line.ledger,
                events = %line.events,
                overdue = line.overdue.len(),
                dead_letters = line.dead_letters.len(),
                "ledger and billing system disagree: zama-jobs billing reconcile"
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use billing::Metric;
    use billing::reconciliation::{Billed, LedgerRow, RowState, compare};

    use super::*;

    fn report(number: u8, state: RowState) -> TenantReport {
        let row = LedgerRow {
            id: format!("{number}:api_calls:0"),
            metric: Metric::ApiCalls,
            units: 1u64.into(),
            timestamp: None,
            state,
        };
        let lines = compare(&[row], &[], &Billed::default());
        let month = "2026-11".parse().unwrap();
        TenantReport { tenant: format!("tenant-{number}"), month, has_account: false, waiting: 2, lines, unread: None }
    }

    #[test]
    fn each_line_that_disagrees_counts_and_the_first_are_named() {
        let mut reports: Vec<TenantReport> = (1..=30).map(|number| report(number, RowState::Overdue)).collect();
        reports.push(report(31, RowState::Waiting));
        let found = told("2026-11".parse().unwrap(), &reports);
        assert_eq!((found.month.as_str(), found.tenants, found.drifting, found.waiting), ("2026-11", 31, 30, 62));
        assert_eq!((found.named.len(), found.named[0].as_str()), (NAMED, "tenant-1 api_calls"));
    }

    #[test]
    fn tenants_that_could_not_be_read_are_told_beside_the_others() {
        let unread = |number| {
            let unread = Some("Lago is unavailable".to_owned());
            TenantReport { lines: Vec::new(), waiting: 0, unread, ..report(number, RowState::Waiting) }
        };
        let mut reports: Vec<TenantReport> = (1..=30).map(unread).collect();
        reports.push(report(31, RowState::Overdue));
        let found = told("2026-11".parse().unwrap(), &reports);
        assert_eq!((found.tenants, found.drifting, found.unread), (1, 1, 30));
        let named = (found.unread_named.len(), found.unread_named[0].as_str());
        assert_eq!(named, (NAMED, "tenant-1: Lago is unavailable"));
    }
}
