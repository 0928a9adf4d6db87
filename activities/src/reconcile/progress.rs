//! How far a comparison is: its heartbeats tell it, and an attempt goes on from what the one before it, which was cut, told.

use std::fmt::Display;

use billing::reconciliation::Invoicing;
use serde::{Deserialize, Serialize};
use workflows::activities::ReconciledMonth;

use crate::reconciliation::{Month, TenantReport};

/// What a result names of a month, of what disagrees and of tenants that could not be read: the command tells all.
const NAMED: usize = 20;

/// Heartbeat details: sums and the first names, never a whole report.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Progress {
    /// What was found so far.
    pub months: Vec<ReconciledMonth>,
    /// The last tenant that is in it.
    pub after: Option<String>,
    /// Whether anybody's books could be read.
    pub is_read: bool,
}

impl Progress {
    /// What the last heartbeat of an attempt told that was lost, if there was one. Details that cannot be read cost time,
    /// and nothing else.
    pub(super) fn of_a_lost_attempt<E: Display>(details: Result<Option<Self>, E>) -> Self {
        let lost = details.unwrap_or_else(|error| {
            tracing::warn!(%error, "heartbeat details cannot be read; the comparison begins anew");
            None
        });
        lost.unwrap_or_default()
    }

    /// Goes on with these months, if they are its own and somebody's books were read; else begins anew.
    pub(super) fn begin(&mut self, months: &[Month]) {
        let names: Vec<String> = months.iter().map(ToString::to_string).collect();
        if self.is_read && self.months.iter().map(|found| &found.month).eq(&names) {
            tracing::info!(after = self.after, "the comparison goes on");
            return;
        }
        let months = names.into_iter().map(|month| ReconciledMonth { month, ..ReconciledMonth::default() });
        *self = Self { months: months.collect(), ..Self::default() };
    }

    /// Adds what there is to tell of a tenant's months, in their order.
    pub(super) fn add(&mut self, tenant: &str, reports: &[Option<TenantReport>]) {
        for (found, report) in self.months.iter_mut().zip(reports) {
            let Some(report) = report else { continue };
            self.is_read |= report.has_account && report.unread.is_none();
            tell(found, report);
        }
        self.after = Some(tenant.to_owned());
    }
}

/// Adds what there is to say of a tenant; whatever disagrees is logged.
fn tell(found: &mut ReconciledMonth, report: &TenantReport) {
    if let Some(reason) = &report.unread {
        found.unread += 1;
        if found.unread_named.len() < NAMED {
            found.unread_named.push(format!("{}: {reason}", report.tenant));
        }
        tracing::error!(
            tenant.id = report.tenant,
            billing.month = found.month,
            reason,
            "ledger and billing system could not be compared: zama-jobs billing reconcile"
        );
        return;
    }
    found.tenants += 1;
    found.waiting += report.waiting;
    if let Some(why) = report.unsubscribed {
        name(found, report, "subscription");
        tracing::error!(
            tenant.id = report.tenant,
            billing.month = found.month,
            reason = %why,
            "the account has no active subscription: zama-jobs billing reconcile"
        );
    }
    if report.invoice == Invoicing::Uninvoiced {
        name(found, report, "invoice");
        tracing::error!(
            tenant.id = report.tenant,
            billing.month = found.month,
            "no final invoice bills the end of the month: zama-jobs billing reconcile"
        );
    }
    for line in report.lines.iter().filter(|line| line.has_drifted()) {
        name(found, report, &line.metric);
        tracing::error!(
            tenant.id = report.tenant,
            tenant.has_account = report.has_account,
            usage.metric = line.metric,
            billing.month = found.month,
            ledger = %line.ledger,
            events = %line.events,
            overdue = line.overdue.len(),
            dead_letters = line.dead_letters.len(),
            priced_otherwise = line.priced_otherwise.len(),
            "ledger and billing system disagree: zama-jobs billing reconcile"
        );
    }
}

/// Counts what disagrees, and names the first.
fn name(found: &mut ReconciledMonth, report: &TenantReport, what: &str) {
    found.drifting += 1;
    if found.named.len() < NAMED {
        found.named.push(format!("{} {what}", report.tenant));
    }
}

#[cfg(test)]
mod tests {
    use billing::Metric;
    use billing::reconciliation::{Billed, LedgerRow, RowState, compare};

    use super::*;
    use crate::billing_delivery::Unsubscribed;

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
        TenantReport {
            tenant: format!("tenant-{number}"),
            month,
            has_account: false,
            waiting: 2,
            lines,
            invoice: Invoicing::NotDue,
            unsubscribed: None,
            unread: None,
        }
    }

    fn unread(number: u8) -> TenantReport {
        let unread = Some("Lago is unavailable".to_owned());
        TenantReport { lines: Vec::new(), waiting: 0, unread, ..report(number, RowState::Waiting) }
    }

    fn months(names: [&str; 2]) -> [Month; 2] {
        names.map(|name| name.parse().unwrap())
    }

    /// As in November.
    fn begun() -> Progress {
        let mut progress = Progress::default();
        progress.begin(&months(["2026-11", "2026-10"]));
        progress
    }

    fn told(reports: Vec<TenantReport>) -> Progress {
        let mut progress = begun();
        for report in reports {
            progress.add(&report.tenant.clone(), &[Some(report), None]);
        }
        progress
    }

    #[test]
    fn each_line_that_disagrees_counts_and_the_first_are_named() {
        let mut reports: Vec<TenantReport> = (1..=30).map(|number| report(number, RowState::Overdue)).collect();
        reports.push(report(31, RowState::Waiting));
        let found = &told(reports).months[0];
        assert_eq!((found.month.as_str(), found.tenants, found.drifting, found.waiting), ("2026-11", 31, 30, 62));
        assert_eq!((found.named.len(), found.named[0].as_str()), (NAMED, "tenant-1 api_calls"));
    }

    #[test]
    fn an_account_without_a_subscription_counts_beside_its_metrics_and_its_invoice() {
        let unsubscribed = Some(Unsubscribed::Unknown);
        let alone = TenantReport { unsubscribed, ..report(1, RowState::Waiting) };
        let beside = TenantReport { unsubscribed, ..report(2, RowState::Overdue) };
        let uninvoiced = TenantReport { unsubscribed, invoice: Invoicing::Uninvoiced, ..report(3, RowState::Waiting) };
        let found = &told(vec![alone, beside, uninvoiced]).months[0];
        assert_eq!((found.tenants, found.drifting), (3, 5));
        let [first, second, third] = ["tenant-1 subscription", "tenant-2 subscription", "tenant-3 subscription"];
        assert_eq!(found.named, [first, second, "tenant-2 api_calls", third, "tenant-3 invoice"]);
    }

    #[test]
    fn a_month_without_its_invoice_counts_once_beside_the_metrics() {
        let awaited = TenantReport { invoice: Invoicing::Awaited, ..report(1, RowState::Waiting) };
        let fee_alone =
            TenantReport { invoice: Invoicing::Uninvoiced, lines: Vec::new(), ..report(2, RowState::Waiting) };
        let both = TenantReport { invoice: Invoicing::Uninvoiced, ..report(3, RowState::Overdue) };
        let found = &told(vec![awaited, fee_alone, both]).months[0];
        assert_eq!(found.drifting, 3);
        assert_eq!(found.named, ["tenant-2 invoice", "tenant-3 invoice", "tenant-3 api_calls"]);
    }

    #[test]
    fn tenants_that_could_not_be_read_are_told_beside_the_others() {
        let mut reports: Vec<TenantReport> = (1..=30).map(unread).collect();
        reports.push(report(31, RowState::Overdue));
        let found = &told(reports).months[0];
        assert_eq!((found.tenants, found.drifting, found.unread), (1, 1, 30));
        let named = (found.unread_named.len(), found.unread_named[0].as_str());
        assert_eq!(named, (NAMED, "tenant-1: Lago is unavailable"));
    }

    #[test]
    fn an_attempt_goes_on_behind_the_last_tenant_unless_nobody_was_read_or_the_month_is_another() {
        let next = |lost: &str, names| {
            let mut next = Progress::of_a_lost_attempt(serde_json::from_str(lost));
            next.begin(&months(names));
            next
        };
        let lost = told(vec![TenantReport { has_account: true, ..report(1, RowState::Overdue) }]);
        assert_eq!((lost.after.as_deref(), lost.months[0].drifting), (Some("tenant-1"), 1));
        let text = serde_json::to_string(&lost).unwrap();
        assert_eq!(next(&text, ["2026-11", "2026-10"]), lost);
        let of_december = next(&text, ["2026-12", "2026-11"]);
        assert_eq!((of_december.after, of_december.months[1].drifting), (None, 0));
        let nobody = serde_json::to_string(&told(vec![unread(1)])).unwrap();
        for lost in [nobody.as_str(), "null", "\"of another form\""] {
            assert_eq!(next(lost, ["2026-11", "2026-10"]), begun(), "{lost}");
        }
    }
}
