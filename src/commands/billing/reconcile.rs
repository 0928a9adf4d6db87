//! `zama-jobs billing reconcile`: ledger and billing system side by side, a line for each tenant and metric.

use std::sync::Arc;
use std::time::Duration;

use ::billing::reconciliation::{Invoicing, Line, PricedOtherwise};
use activities::billing_delivery::{BillingDelivery, Unsubscribed};
use activities::reconciliation::{Deadlines, Month, PATIENCE, Reconciler, Repaired, TenantReport};
use anyhow::{Result, ensure};
use chrono::Utc;
use clap::{Args, ValueEnum};
use jobs::csv;
use serde_json::json;
use settings::Settings;

use super::{End, lago};
use crate::commands::token::lifetime;
use crate::commands::{parts, stand_in};

/// What `reconcile` takes.
#[derive(Args)]
pub struct ReconcileArgs {
    /// YYYY-MM; the one that is open when not given.
    #[arg(long)]
    month: Option<Month>,
    /// Only this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// How to print what was found; --json is the same as `--format json`.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// A row that waits for longer is a disagreement, for example 90s, 15m or 12h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    waiting_longer_than: Duration,
    /// Send again what the billing system lacks, book anew what it can bill no more, deliver what waits, make accounts
    /// that are lacking; then compare again.
    #[arg(long)]
    repair: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

pub(super) async fn run(settings: &Settings, args: &ReconcileArgs, json: bool) -> Result<End> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    if let Some(tenant) = &args.tenant {
        ensure!(store::tenants::find(&pool, tenant).await?.is_some(), "there is no tenant {tenant}");
    }
    let lago = Arc::new(lago(settings)?);
    let delivery = Arc::new(BillingDelivery::new(pool, lago.clone(), settings.billing.default_plan.clone()));
    let deadlines =
        Deadlines { delivered_within: args.waiting_longer_than, invoiced_within: settings.billing.invoiced_within() };
    let reconciler = Reconciler::new(delivery, deadlines, PATIENCE);
    let this_month = Month::of(Utc::now());
    let month = args.month.unwrap_or(this_month);
    ensure!(month <= this_month, "{month} has not begun");
    let mut reports = reconciler.all(month, args.tenant.as_deref()).await?;
    let mut repaired = None;
    if args.repair && reports.iter().any(TenantReport::has_drifted) {
        repaired = Some(Box::pin(reconciler.repair(&reports)).await);
        reports = reconciler.all(month, args.tenant.as_deref()).await?;
    }
    stand_in::ask(&lago).await;
    let format = if json { Format::Json } else { args.format };
    print!("{}", printed(&reports, repaired, format)?);
    if format != Format::Json {
        eprint!("{}", advice(&reports, repaired));
    }
    Ok(end(&reports, repaired))
}

/// What is not known weighs more than what disagrees.
fn end(reports: &[TenantReport], repaired: Option<Repaired>) -> End {
    let is_stopped = repaired.is_some_and(|repaired| repaired.stopped > 0);
    if is_stopped || reports.iter().any(|report| report.unread.is_some()) {
        End::Failed
    } else if reports.iter().any(TenantReport::has_drifted) {
        End::Trouble
    } else {
        End::Done
    }
}

/// What a repair did, and what a person is to do.
fn advice(reports: &[TenantReport], repaired: Option<Repaired>) -> String {
    let mut text = String::new();
    if let Some(Repaired { sent, booked_anew, delivered, left, stopped }) = repaired {
        text += &format!(
            "sent again: {sent}; booked anew: {booked_anew}; delivered: {delivered}; left for a person: {left}\n"
        );
        if stopped > 0 {
            text += &format!("tenants whose repair was stopped by an error, which was logged: {stopped}\n");
        }
    }
    let unread = reports.iter().filter(|report| report.unread.is_some()).count();
    if unread > 0 {
        text += &format!("tenants that could not be read, and of which nothing is known: {unread}\n");
    }
    let has_dead = |report: &&TenantReport| report.lines.iter().any(|line| !line.dead_letters.is_empty());
    for TenantReport { tenant, .. } in reports.iter().filter(has_dead) {
        text += &format!("what was refused for good: zama-jobs billing dead-letters list --tenant {tenant}\n");
    }
    for TenantReport { tenant, unsubscribed, .. } in reports {
        let way_out = match unsubscribed {
            None => continue,
            Some(Unsubscribed::Ended { .. }) => {
                format!("make it anew in the billing system, or close the tenant: zama-jobs tenants close {tenant}")
            }
            Some(Unsubscribed::Unknown) => {
                "restore the billing system, or have it made anew: zama-jobs billing setup".to_owned()
            }
        };
        text += &format!("account {tenant} has no active subscription: {way_out}\n");
    }
    // All of them are of one month.
    if let Some(report) = reports.iter().find(|report| report.invoice == Invoicing::Uninvoiced) {
        let month = report.month;
        text += &format!(
            "months without their invoice are made, finalized or invoiced anew in Lago; a stand-in, which has no clock, \
             makes them by: zama-jobs billing close-month {month}\n"
        );
    }
    if reports.iter().flat_map(|report| &report.lines).any(|line| !line.priced_otherwise.is_empty()) {
        text += "agreed is what this program's price list says of the units: zama-jobs billing setup --check tells whether \
                 Lago has it now\n";
    }
    text
}

fn printed(reports: &[TenantReport], repaired: Option<Repaired>, format: Format) -> Result<String> {
    let lines = || reports.iter().flat_map(|report| report.lines.iter().map(move |line| (report, line)));
    Ok(match format {
        Format::Json => {
            let drifting: usize = reports.iter().map(TenantReport::drifting).sum();
            let unread = reports.iter().filter(|report| report.unread.is_some()).count();
            let told = json!({ "drifting": drifting, "unread": unread, "tenants": reports, "repaired": repaired });
            format!("{told:#}\n")
        }
        Format::Csv => {
            let unread = reports.iter().filter_map(|report| Some(unread_fields(report, report.unread.as_ref()?)));
            let uninvoiced = reports.iter().filter(|report| stands_alone(report)).map(invoice_fields);
            let unsubscribed =
                reports.iter().filter_map(|report| Some(unsubscribed_fields(report, report.unsubscribed?)));
            let without_metric = uninvoiced.chain(unsubscribed).chain(unread);
            let rows = lines().map(|(report, line)| fields(report, line)).chain(without_metric);
            rows.fold(csv::line(&COLUMNS), |text, row| text + &csv::line(&row))
        }
        Format::Table => table(reports),
    })
}

/// Of the CSV.
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

/// Of a line; its metric may be whatever somebody sent to the billing system.
fn fields(report: &TenantReport, line: &Line) -> [String; COLUMNS.len()] {
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

/// Whether a tenant's invoice is told on a line of its own: where it disagrees, or nothing else tells that it is awaited.
fn stands_alone(report: &TenantReport) -> bool {
    match report.invoice {
        Invoicing::NotDue | Invoicing::Made => false,
        Invoicing::Awaited => report.lines.is_empty(),
        Invoicing::Uninvoiced => true,
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

fn table(reports: &[TenantReport]) -> String {
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

#[cfg(test)]
mod tests {
    use ::billing::reconciliation::{Billed, LedgerRow, RowState, compare};
    use ::billing::{Metric, RecordedEvent};
    use activities::reconciliation::OVERDUE_AFTER;
    use chrono::DateTime;

    use super::*;

    fn row(segment: &str, timestamp: Option<i64>, state: RowState) -> LedgerRow {
        let id = format!("019c:compute_units:{segment}");
        LedgerRow { id, metric: Metric::ComputeUnits, units: 3u64.into(), timestamp, state }
    }

    fn report(rows: &[LedgerRow], has_account: bool) -> Vec<TenantReport> {
        let nothing = || has_account.then(Default::default);
        let billed = Billed { units: nothing(), units_before: nothing(), ..Billed::default() };
        let lines = compare(rows, &[], &billed);
        let month = "2026-11".parse().unwrap();
        let (tenant, invoice, unsubscribed) = ("acme".to_owned(), Invoicing::NotDue, None);
        vec![TenantReport { tenant, month, has_account, waiting: 2, lines, invoice, unsubscribed, unread: None }]
    }

    #[test]
    fn a_drift_is_told_in_every_form() {
        let reports = report(&[row("0", Some(1), RowState::Delivered)], true);
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(
            csv.ends_with(
                "unread,invoice,priced_otherwise,amount_cents,agreed_cents,subscription\n\
                 2026-11,acme,compute_units,3,0,0,0,1,0,0,0,0,0,true,true,,not_due,0,,,\n"
            ),
            "{csv}"
        );
        let table = printed(&reports, None, Format::Table).unwrap();
        assert!(table.contains("DRIFT: 1 missing (019c:compute_units:0 …)\n"), "{table}");
        assert!(table.contains("2 rows wait for their delivery\n"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        assert_eq!((&json["drifting"], &json["tenants"][0]["lines"][0]["ledger"]), (&json!(1), &json!("3")));
        assert_eq!(advice(&reports, None), "");
    }

    #[test]
    fn what_lacks_is_named_in_every_form() {
        let rows = [row("0", None, RowState::Overdue), row("1", None, RowState::Refused)];
        let reports = report(&rows, false);
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(csv.ends_with("\n2026-11,acme,compute_units,0,0,0,,0,0,0,0,1,1,false,true,,not_due,0,,,\n"), "{csv}");
        let table = printed(&reports, None, Format::Table).unwrap();
        let told = "DRIFT: 1 waiting for too long (019c:compute_units:0 …), 1 refused for good (019c:compute_units:1 …); \
                    the tenant has no account\n";
        assert!(table.contains(told), "{table}");
        assert!(table.contains("2 rows wait for their delivery; the tenant has no account\n"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        let tenant = &json["tenants"][0];
        assert_eq!((&json["drifting"], &tenant["has_account"]), (&json!(1), &json!(false)));
        assert_eq!(tenant["lines"][0]["overdue"], json!(["019c:compute_units:0"]));
        assert_eq!(tenant["lines"][0]["dead_letters"], json!(["019c:compute_units:1"]));
        let repaired = Repaired { left: 1, ..Repaired::default() };
        assert_eq!(
            advice(&reports, Some(repaired)),
            "sent again: 0; booked anew: 0; delivered: 0; left for a person: 1\n\
             what was refused for good: zama-jobs billing dead-letters list --tenant acme\n"
        );
    }

    #[test]
    fn a_tenant_that_could_not_be_read_says_why_in_every_form_and_the_others_are_told() {
        let mut reports = report(&[row("0", Some(1), RowState::Delivered)], true);
        assert_eq!(end(&reports, None), End::Trouble);
        let unread = Some("it answered 502: <p class=\"x\">, away".to_owned());
        let globex =
            TenantReport { tenant: "globex".to_owned(), waiting: 0, lines: vec![], unread, ..reports[0].clone() };
        reports.push(globex);
        assert_eq!(end(&reports, None), End::Failed);
        let csv = printed(&reports, None, Format::Csv).unwrap();
        let told = "true,true,,not_due,0,,,\n\
                    2026-11,globex,,,,,,,,,,,,true,,\"it answered 502: <p class=\"\"x\"\">, away\",,,,,\n";
        assert!(csv.ends_with(told), "{csv}");
        let table = printed(&reports, None, Format::Table).unwrap();
        assert!(table.contains("could not be read: it answered 502: <p class=\"x\">, away\n"), "{table}");
        assert!(table.contains("DRIFT: 1 missing"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        assert_eq!((&json["drifting"], &json["unread"]), (&json!(1), &json!(1)));
        assert_eq!(json["tenants"][0]["unread"], json!(null));
        assert_eq!(json["tenants"][1]["unread"], json!("it answered 502: <p class=\"x\">, away"));
        assert_eq!(advice(&reports, None), "tenants that could not be read, and of which nothing is known: 1\n");
    }

    #[test]
    fn an_account_that_nothing_bills_is_a_drift_in_every_form_also_where_nothing_was_used() {
        let mut reports = report(&[], true);
        assert_eq!(end(&reports, None), End::Done);
        let at = Some("2026-11-20T12:00:00Z".parse().unwrap());
        reports[0].unsubscribed = Some(Unsubscribed::Ended { at });
        assert_eq!(end(&reports, None), End::Trouble);
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(csv.ends_with("subscription\n2026-11,acme,,,,,,,,,,,,true,true,,,,,,ended\n"), "{csv}");
        let table = printed(&reports, None, Format::Table).unwrap();
        let told = "DRIFT: the account has no active subscription: it was ended in the billing system at 2026-11-20 \
                    12:00:00Z\n";
        assert!(table.contains(told), "{table}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        assert_eq!(json["drifting"], 1);
        assert_eq!(json["tenants"][0]["unsubscribed"], json!({ "why": "ended", "at": "2026-11-20T12:00:00Z" }));
        assert!(advice(&reports, None).ends_with("zama-jobs tenants close acme\n"));
        reports[0].unsubscribed = Some(Unsubscribed::Unknown);
        assert!(printed(&reports, None, Format::Csv).unwrap().ends_with(",unknown\n"));
        assert!(advice(&reports, None).ends_with("zama-jobs billing setup\n"));
    }

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
        let csv = printed(&reports, None, Format::Csv).unwrap();
        let told = "\n2026-11,acme,\"compute,\"\"units\"\"\nacme\",0,0,7,,0,1,0,0,0,0,true,true,,not_due,0,,,\n";
        assert!(csv.ends_with(told), "{csv}");
    }

    /// Acme used something, of which everybody agrees; globex has but its monthly fee.
    fn over(invoice: Invoicing) -> Vec<TenantReport> {
        let mut reports = report(&[row("0", Some(1), RowState::Waiting)], true);
        reports[0].waiting = 0;
        reports[0].lines.iter_mut().for_each(|line| line.billed = None);
        let fee_alone = TenantReport { tenant: "globex".to_owned(), lines: vec![], ..reports[0].clone() };
        reports.push(fee_alone);
        reports.iter_mut().for_each(|report| report.invoice = invoice);
        reports
    }

    #[test]
    fn a_month_without_its_invoice_is_told_in_every_form_also_where_nothing_was_used() {
        let reports = over(Invoicing::Uninvoiced);
        assert_eq!(end(&reports, None), End::Trouble);
        let table = printed(&reports, None, Format::Table).unwrap();
        let drift = "-  DRIFT: no final invoice bills the end: never made, a draft, failed or voided\n";
        assert_eq!(table.matches(drift).count(), 2, "{table}");
        assert!(table.contains("-  not invoiced\n") && !table.contains("  ok\n"), "{table}");
        let csv = printed(&reports, None, Format::Csv).unwrap();
        let told = "true,false,,uninvoiced,0,,,\n2026-11,acme,,,,,,,,,,,,true,true,,uninvoiced,,,,\n\
                    2026-11,globex,,,,,,,,,,,,true,true,,uninvoiced,,,,\n";
        assert!(csv.ends_with(told), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        assert_eq!((&json["drifting"], &json["tenants"][1]["invoice"]), (&json!(2), &json!("uninvoiced")));
        let advice = advice(&reports, None);
        assert!(advice.ends_with("makes them by: zama-jobs billing close-month 2026-11\n"), "{advice}");
    }

    #[test]
    fn an_invoice_that_is_awaited_is_neither_a_drift_nor_ok() {
        let reports = over(Invoicing::Awaited);
        assert_eq!((end(&reports, None), advice(&reports, None)), (End::Done, String::new()));
        let table = printed(&reports, None, Format::Table).unwrap();
        assert_eq!(table.matches("-  not invoiced yet\n").count(), 2, "{table}");
        assert!(!table.contains("  ok\n"), "{table}");
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(csv.ends_with("\n2026-11,globex,,,,,,,,,,,,true,false,,awaited,,,,\n"), "{csv}");
        assert_eq!(over(Invoicing::Made).iter().filter(|report| stands_alone(report)).count(), 0);
    }

    #[test]
    fn another_price_tells_both_amounts_in_every_form() {
        let mut reports = over(Invoicing::Made);
        reports[0].lines[0].priced_otherwise = [(12, 9), (3, 4)]
            .map(|(amount_cents, agreed_cents)| {
                let (code, invoice) = ("compute_units".to_owned(), format!("A-{amount_cents}"));
                PricedOtherwise { code, invoice, currency: "EUR".to_owned(), amount_cents, agreed_cents }
            })
            .to_vec();
        assert_eq!(end(&reports, None), End::Trouble);
        let table = printed(&reports, None, Format::Table).unwrap();
        assert!(table.contains("DRIFT: 2 priced otherwise (A-12: 12 cents EUR, agreed 9 …)\n"), "{table}");
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(csv.ends_with("true,true,,made,2,15,13\n"), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        let told = json!({ "invoice": "A-3", "currency": "EUR", "amount_cents": 3, "agreed_cents": 4 });
        assert_eq!(json["tenants"][0]["lines"][0]["priced_otherwise"][1], told);
        assert!(advice(&reports, None).contains("zama-jobs billing setup --check"));
    }

    #[test]
    fn a_repair_that_was_stopped_is_a_failure() {
        let repaired = Repaired { stopped: 2, ..Repaired::default() };
        assert_eq!(end(&[], Some(repaired)), End::Failed);
        assert!(advice(&[], Some(repaired)).ends_with("which was logged: 2\n"));
        assert_eq!(end(&[], Some(Repaired::default())), End::Done);
    }

    #[test]
    fn without_a_flag_a_row_may_wait_for_as_long_as_in_the_hourly_comparison() {
        #[derive(clap::Parser)]
        struct Call {
            #[command(flatten)]
            args: ReconcileArgs,
        }
        let call = <Call as clap::Parser>::try_parse_from(["reconcile"]).unwrap();
        assert_eq!(call.args.waiting_longer_than, OVERDUE_AFTER);
    }
}
