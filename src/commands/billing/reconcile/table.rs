//! What a person reads: a line for each tenant and metric, and what is wrong with it.

use ::billing::reconciliation::{Invoicing, Line, PricedOtherwise};
use activities::reconciliation::TenantReport;

use super::csv::fields;
use super::stands_alone;

pub(super) fn table(reports: &[TenantReport]) -> String {
    let row = |cells: [&str; 7]| {
        let [tenant, metric, ledger, waiting, events, billed, says] = cells;
        format!("{tenant:<20} {metric:<20} {ledger:>16} {waiting:>12} {events:>16} {billed:>16}  {says}\n")
    };
    let mut text = row(["TENANT", "METRIC", "LEDGER", "WAITING", "EVENTS", "BILLED", ""]);
    for report in reports {
        if let Some(reason) = &report.unread {
            text += &row([&report.tenant, "", "", "", "", "", &format!("could not be read: {reason}")]);
        }
        if let Some(why) = report.unsubscribed {
            let told = format!("DRIFT: the account has no active subscription: {why}");
            text += &row([&report.tenant, "", "", "", "", "", &told]);
        }
        for line in &report.lines {
            let [_, tenant, metric, ledger, waiting, events, billed, ..] = &fields(report, line);
            let billed = if line.billed.is_some() { billed.as_str() } else { "-" };
            text += &row([tenant, metric, ledger, waiting, events, billed, &says(report, line)]);
        }
        if stands_alone(report) {
            let told = match report.invoice {
                Invoicing::Uninvoiced => "DRIFT: no final invoice bills the end: never made, a draft, failed or voided",
                _ => AWAITED,
            };
            text += &row([&report.tenant, "", "", "", "", "-", told]);
        }
        if report.waiting > 0 {
            let account = if report.has_account { "" } else { NO_ACCOUNT };
            let told = format!("{} rows wait for their delivery{account}", report.waiting);
            text += &row([&report.tenant, "", "", "", "", "", &told]);
        }
    }
    text
}

/// The billing system does not know the tenant.
const NO_ACCOUNT: &str = "; the tenant has no account";

/// The month is over, and not for long.
const AWAITED: &str = "not invoiced yet";

/// What is wrong with a line, and the first rows of it.
fn says(report: &TenantReport, line: &Line) -> String {
    if !line.has_drifted() {
        return match report.invoice {
            Invoicing::Awaited => AWAITED.to_owned(),
            Invoicing::Uninvoiced => "not invoiced".to_owned(),
            Invoicing::NotDue | Invoicing::Made => "ok".to_owned(),
        };
    }
    let named = [
        ("missing", &line.missing),
        ("unknown here", &line.foreign),
        ("of another content", &line.differing),
        ("too late for their invoice", &line.too_late),
        ("waiting for too long", &line.overdue),
        ("refused for good", &line.dead_letters),
    ];
    let mut told: Vec<String> = named
        .iter()
        .filter_map(|(what, ids)| ids.first().map(|first| format!("{} {what} ({first} …)", ids.len())))
        .collect();
    told.extend(line.priced_otherwise.first().map(|first| {
        let PricedOtherwise { invoice, currency, amount_cents, agreed_cents, .. } = first;
        let count = line.priced_otherwise.len();
        format!("{count} priced otherwise ({invoice}: {amount_cents} cents {currency}, agreed {agreed_cents} …)")
    }));
    let told = if told.is_empty() { "the sums differ".to_owned() } else { told.join(", ") };
    format!("DRIFT: {told}{}", if report.has_account { "" } else { NO_ACCOUNT })
}
