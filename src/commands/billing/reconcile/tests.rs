//! What was found, in every form that tells it, and how the command ends.

use ::billing::Metric;
use ::billing::reconciliation::{Billed, LedgerRow, PricedOtherwise, RowState, compare};
use activities::billing_delivery::Unsubscribed;
use activities::reconciliation::OVERDUE_AFTER;

use super::*;

fn row(segment: &str, timestamp: Option<i64>, state: RowState) -> LedgerRow {
    let id = format!("019c:compute_units:{segment}");
    LedgerRow { id, metric: Metric::ComputeUnits, units: 3u64.into(), timestamp, state }
}

pub(super) fn report(rows: &[LedgerRow], has_account: bool) -> Vec<TenantReport> {
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
    let csv = printed(&reports, None, Format::Csv);
    assert!(
        csv.ends_with(
            "unread,invoice,priced_otherwise,amount_cents,agreed_cents,subscription\n\
             2026-11,acme,compute_units,3,0,0,0,1,0,0,0,0,0,true,true,,not_due,0,,,\n"
        ),
        "{csv}"
    );
    let table = printed(&reports, None, Format::Table);
    assert!(table.contains("DRIFT: 1 missing (019c:compute_units:0 …)\n"), "{table}");
    assert!(table.contains("2 rows wait for their delivery\n"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
    assert_eq!((&json["drifting"], &json["tenants"][0]["lines"][0]["ledger"]), (&json!(1), &json!("3")));
    assert_eq!(advice(&reports, None), "");
}

#[test]
fn what_lacks_is_named_in_every_form() {
    let rows = [row("0", None, RowState::Overdue), row("1", None, RowState::Refused)];
    let reports = report(&rows, false);
    let csv = printed(&reports, None, Format::Csv);
    assert!(csv.ends_with("\n2026-11,acme,compute_units,0,0,0,,0,0,0,0,1,1,false,true,,not_due,0,,,\n"), "{csv}");
    let table = printed(&reports, None, Format::Table);
    let told = "DRIFT: 1 waiting for too long (019c:compute_units:0 …), 1 refused for good (019c:compute_units:1 …); \
                the tenant has no account\n";
    assert!(table.contains(told), "{table}");
    assert!(table.contains("2 rows wait for their delivery; the tenant has no account\n"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
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
    let globex = TenantReport { tenant: "globex".to_owned(), waiting: 0, lines: vec![], unread, ..reports[0].clone() };
    reports.push(globex);
    assert_eq!(end(&reports, None), End::Failed);
    let csv = printed(&reports, None, Format::Csv);
    let told = "true,true,,not_due,0,,,\n\
                2026-11,globex,,,,,,,,,,,,true,,\"it answered 502: <p class=\"\"x\"\">, away\",,,,,\n";
    assert!(csv.ends_with(told), "{csv}");
    let table = printed(&reports, None, Format::Table);
    assert!(table.contains("could not be read: it answered 502: <p class=\"x\">, away\n"), "{table}");
    assert!(table.contains("DRIFT: 1 missing"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
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
    let csv = printed(&reports, None, Format::Csv);
    assert!(csv.ends_with("subscription\n2026-11,acme,,,,,,,,,,,,true,true,,,,,,ended\n"), "{csv}");
    let table = printed(&reports, None, Format::Table);
    let told = "DRIFT: the account has no active subscription: it was ended in the billing system at 2026-11-20 \
                12:00:00Z\n";
    assert!(table.contains(told), "{table}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
    assert_eq!(json["drifting"], 1);
    assert_eq!(json["tenants"][0]["unsubscribed"], json!({ "why": "ended", "at": "2026-11-20T12:00:00Z" }));
    assert!(advice(&reports, None).ends_with("zama-jobs tenants close acme\n"));
    reports[0].unsubscribed = Some(Unsubscribed::Unknown);
    assert!(printed(&reports, None, Format::Csv).ends_with(",unknown\n"));
    assert!(advice(&reports, None).ends_with("zama-jobs billing setup\n"));
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
    let table = printed(&reports, None, Format::Table);
    let drift = "-  DRIFT: no final invoice bills the end: never made, a draft, failed or voided\n";
    assert_eq!(table.matches(drift).count(), 2, "{table}");
    assert!(table.contains("-  not invoiced\n") && !table.contains("  ok\n"), "{table}");
    let csv = printed(&reports, None, Format::Csv);
    let told = "true,false,,uninvoiced,0,,,\n2026-11,acme,,,,,,,,,,,,true,true,,uninvoiced,,,,\n\
                2026-11,globex,,,,,,,,,,,,true,true,,uninvoiced,,,,\n";
    assert!(csv.ends_with(told), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
    assert_eq!((&json["drifting"], &json["tenants"][1]["invoice"]), (&json!(2), &json!("uninvoiced")));
    let advice = advice(&reports, None);
    assert!(advice.ends_with("makes them by: zama-jobs billing close-month 2026-11\n"), "{advice}");
}

#[test]
fn an_invoice_that_is_awaited_is_neither_a_drift_nor_ok() {
    let reports = over(Invoicing::Awaited);
    assert_eq!((end(&reports, None), advice(&reports, None)), (End::Done, String::new()));
    let table = printed(&reports, None, Format::Table);
    assert_eq!(table.matches("-  not invoiced yet\n").count(), 2, "{table}");
    assert!(!table.contains("  ok\n"), "{table}");
    let csv = printed(&reports, None, Format::Csv);
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
    let table = printed(&reports, None, Format::Table);
    assert!(table.contains("DRIFT: 2 priced otherwise (A-12: 12 cents EUR, agreed 9 …)\n"), "{table}");
    let csv = printed(&reports, None, Format::Csv);
    assert!(csv.ends_with("true,true,,made,2,15,13,\n"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json)).unwrap();
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
