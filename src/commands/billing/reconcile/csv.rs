//! What a spreadsheet reads: the columns, and the fields of each line.

use ::billing::reconciliation::{Invoicing, Line, PricedOtherwise};
use activities::billing_delivery::Unsubscribed;
use activities::reconciliation::TenantReport;
use jobs::csv;

use super::stands_alone;

const COLUMNS: [&str; 21] = [
    "month",
    "tenant",
    "metric",
    "ledger",
    "waiting",
    "events",
    "billed",
    "missing",
    "foreign",
    "differing",
    "too_late",
    "overdue",
    "dead_letters",
    "has_account",
    "drift",
    "unread",
    "invoice",
    "priced_otherwise",
    "amount_cents",
    "agreed_cents",
    "subscription",
];

pub(super) fn text(reports: &[TenantReport]) -> String {
    let lines = reports.iter().flat_map(|report| report.lines.iter().map(move |line| (report, line)));
    let unread = reports.iter().filter_map(|report| Some(unread_fields(report, report.unread.as_ref()?)));
    let uninvoiced = reports.iter().filter(|report| stands_alone(report)).map(invoice_fields);
    let unsubscribed = reports.iter().filter_map(|report| Some(unsubscribed_fields(report, report.unsubscribed?)));
    let without_metric = uninvoiced.chain(unsubscribed).chain(unread);
    let rows = lines.map(|(report, line)| fields(report, line)).chain(without_metric);
    rows.fold(csv::line(&COLUMNS), |text, row| text + &csv::line(&row))
}

/// Of a line; its metric may be whatever somebody sent to the billing system.
pub(super) fn fields(report: &TenantReport, line: &Line) -> [String; COLUMNS.len()] {
    let priced = &line.priced_otherwise;
    let cents = |of: fn(&PricedOtherwise) -> i64| {
        let sum = priced.iter().map(of).fold(0i64, i64::saturating_add);
        if priced.is_empty() { String::new() } else { sum.to_string() }
    };
    [
        report.month.to_string(),
        report.tenant.clone(),
        line.metric.clone(),
        line.ledger.to_string(),
        line.waiting.to_string(),
        line.events.to_string(),
        line.billed.as_ref().map_or_else(String::new, ToString::to_string),
        line.missing.len().to_string(),
        line.foreign.len().to_string(),
        line.differing.len().to_string(),
        line.too_late.len().to_string(),
        line.overdue.len().to_string(),
        line.dead_letters.len().to_string(),
        report.has_account.to_string(),
        line.has_drifted().to_string(),
        String::new(),
        invoice(report).to_owned(),
        priced.len().to_string(),
        cents(|one| one.amount_cents),
        cents(|one| one.agreed_cents),
        String::new(),
    ]
}

/// As in JSON.
fn invoice(report: &TenantReport) -> &'static str {
    match report.invoice {
        Invoicing::NotDue => "not_due",
        Invoicing::Made => "made",
        Invoicing::Awaited => "awaited",
        Invoicing::Uninvoiced => "uninvoiced",
    }
}

/// Of a month that lacks its invoice, whatever was used in it: no metric.
fn invoice_fields(report: &TenantReport) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match column {
        "month" => report.month.to_string(),
        "tenant" => report.tenant.clone(),
        "has_account" => report.has_account.to_string(),
        "drift" => (report.invoice == Invoicing::Uninvoiced).to_string(),
        "invoice" => invoice(report).to_owned(),
        _ => String::new(),
    })
}

/// Of an account that nothing bills, whatever its metrics say.
fn unsubscribed_fields(report: &TenantReport, why: Unsubscribed) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match column {
        "month" => report.month.to_string(),
        "tenant" => report.tenant.clone(),
        "has_account" => report.has_account.to_string(),
        "drift" => true.to_string(),
        "subscription" => why.as_str().to_owned(),
        _ => String::new(),
    })
}

/// Of a tenant of which nothing is known but the reason.
fn unread_fields(report: &TenantReport, reason: &str) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match column {
        "month" => report.month.to_string(),
        "tenant" => report.tenant.clone(),
        "has_account" => report.has_account.to_string(),
        "unread" => reason.to_owned(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use ::billing::RecordedEvent;
    use ::billing::reconciliation::{Billed, compare};
    use chrono::DateTime;

    use super::super::tests::report;
    use super::*;

    /// Lago takes events of metrics that it does not know.
    #[test]
    fn a_metric_of_somebody_else_s_shifts_no_column() {
        let stray = RecordedEvent {
            transaction_id: "x".to_owned(),
            external_subscription_id: Some("acme".to_owned()),
            code: "compute,\"units\"\nacme".to_owned(),
            timestamp: DateTime::UNIX_EPOCH,
            value: Some(7u64.into()),
            received_at: DateTime::UNIX_EPOCH,
        };
        let mut reports = report(&[], true);
        reports[0].lines = compare(&[], &[stray], &Billed::default());
        let csv = text(&reports);
        let told = "\n2026-11,acme,\"compute,\"\"units\"\"\nacme\",0,0,7,,0,1,0,0,0,0,true,true,,not_due,0,,,\n";
        assert!(csv.ends_with(told), "{csv}");
    }
}
