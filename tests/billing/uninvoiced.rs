//! A month that is over and has no final invoice: awaited for some time, then a disagreement, whatever was used in it.

use std::time::Duration;

use activities::reconciliation::{Month, TenantReport};
use activities::{LastLook, Progress, Reconcile};
use billing::reconciliation::Invoicing;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::usage;
use tokio::sync::watch;
use workflows::activities::ReconciledMonth;

use super::months::{self, fixed, last_month, midnight, sent};
use crate::stage::{ACME, Stage, acme, this_month};
use crate::unreliable::with_status;

/// Acme, on a plan with a fee, was there for all of the month before the last one.
async fn subscribed() -> Stage {
    let stage = Stage::since(midnight() - TimeDelta::days(70)).await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage
}

/// It ended weeks ago, whatever day it is.
fn old_month() -> Month {
    last_month().before()
}

impl Stage {
    /// The month as it is told so long after its end.
    async fn report_awaiting(&self, month: Month, invoiced_within: Duration) -> TenantReport {
        self.reconciler_awaiting(invoiced_within).all(month, Some(ACME)).await.unwrap().remove(0)
    }

    /// Long after its end.
    async fn late(&self, month: Month) -> TenantReport {
        self.report_awaiting(month, Duration::ZERO).await
    }

    /// Acme used something in a month, and Lago has it.
    async fn used_before(&self, end: DateTime<Utc>, name: &str, units: u32) {
        let moment = end - TimeDelta::seconds(9);
        let id = fixed(self, name, units.into(), moment).await;
        self.lago.send(&[sent(&id, units.into(), moment)]).await.unwrap();
        usage::delivered(self.pool(), &[id]).await.unwrap();
    }
}

/// Nothing was used, so that no metric could disagree.
#[tokio::test]
async fn a_month_of_the_fee_alone_that_was_never_invoiced_is_a_disagreement_until_it_is() {
    let stage = subscribed().await;
    let awaited = stage.report_awaiting(old_month(), Duration::MAX).await;
    assert_eq!((awaited.invoice, awaited.drifting()), (Invoicing::Awaited, 0), "{awaited:#?}");
    let late = stage.late(old_month()).await;
    assert_eq!((late.invoice, late.drifting(), late.lines.len()), (Invoicing::Uninvoiced, 1, 0), "{late:#?}");

    let month = old_month().to_string();
    let reconcile = ["billing", "reconcile", "--month", &month];
    let table = stage.runs(&reconcile).await.ends(9);
    assert!(table.stdout.contains("DRIFT: no final invoice bills the end"), "{table:#?}");
    assert!(table.stderr.contains(&format!("zama-jobs billing close-month {month}\n")), "{table:#?}");
    let json = stage.runs(&[&["--json"], reconcile.as_slice()].concat()).await.ends(9).json();
    assert_eq!((&json["drifting"], &json["tenants"][0]["invoice"]), (&json!(1), &json!("uninvoiced")));
    let repaired = stage.runs(&[reconcile.as_slice(), &["--repair"]].concat()).await.ends(9);
    assert!(repaired.stderr.contains("delivered: 0; left for a person: 1\n"), "{repaired:#?}");

    stage.closes(old_month()).await;
    stage.runs(&reconcile).await.ends(0);
    assert_eq!(stage.late(old_month()).await.invoice, Invoicing::Made);
}

#[tokio::test]
async fn what_was_subscribed_is_asked_for_once_in_a_reading() {
    let mut stage = subscribed().await;
    let watched = stage.is_watched(|_| None).await;
    assert_eq!(stage.late(old_month()).await.invoice, Invoicing::Uninvoiced);
    let active = "/api/v1/subscriptions/acme?status=active";
    // The other one is the account's state.
    assert_eq!(watched.asked()[active], 2);
}

#[tokio::test]
async fn an_invoice_that_was_voided_or_is_a_draft_or_failed_is_none() {
    let mut stage = subscribed().await;
    stage.used_before(midnight(), "used", 3).await;
    stage.closes(last_month()).await;
    let made = stage.late(last_month()).await;
    assert_eq!((made.invoice, made.drifting()), (Invoicing::Made, 0), "{made:#?}");

    let origin = stage.origin.clone();
    for status in ["voided", "draft", "failed"] {
        stage.origin = with_status(&origin, status).await;
        let late = stage.late(last_month()).await;
        assert_eq!((late.invoice, late.drifting()), (Invoicing::Uninvoiced, 1), "{status}: {late:#?}");
        assert!(late.lines.iter().all(|line| line.billed.is_none() && !line.has_drifted()), "{status}: {late:#?}");
        let soon = stage.report_awaiting(last_month(), Duration::MAX).await;
        assert_eq!((soon.invoice, soon.drifting()), (Invoicing::Awaited, 0), "{status}: {soon:#?}");
    }
}

#[tokio::test]
async fn months_without_a_subscription_and_the_open_one_lack_nothing() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let before = last_month().before().before();
    for (month, invoice) in
        [(this_month(), Invoicing::NotDue), (last_month(), Invoicing::Uninvoiced), (before, Invoicing::NotDue)]
    {
        assert_eq!(stage.late(month).await.invoice, invoice, "{month}");
    }
    // A change of plan makes another subscription in Lago, and leaves the months before as they are.
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    assert_eq!(stage.late(last_month()).await.invoice, Invoicing::Uninvoiced);
    stage.closes(last_month()).await;
    assert_eq!(stage.late(last_month()).await.invoice, Invoicing::Made);

    // Its last invoice is made at once.
    stage.is_ended_by_hand().await;
    assert_eq!(stage.late(this_month()).await.invoice, Invoicing::Made);
    assert_eq!(stage.late(before).await.invoice, Invoicing::NotDue);
}

#[tokio::test]
async fn a_plan_without_a_fee_has_something_to_invoice_where_more_was_used_than_is_free() {
    let stage = months::stage().await;
    stage.outbox.execute("UPDATE tenants SET plan = 'developer' WHERE id = 'acme'").await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    assert_eq!(stage.late(last_month()).await.invoice, Invoicing::NotDue);
    stage.used_before(midnight(), "free", 10_000).await;
    let free = stage.late(last_month()).await;
    assert_eq!((free.invoice, free.drifting()), (Invoicing::NotDue, 0), "{free:#?}");
    stage.used_before(midnight(), "more", 1).await;
    assert_eq!(stage.late(last_month()).await.invoice, Invoicing::Uninvoiced);
    stage.closes(last_month()).await;
    stage.agrees(last_month()).await;
    assert_eq!(stage.late(last_month()).await.invoice, Invoicing::Made);
}

/// The stand-in's data with its records changed.
fn edited(journal: &str, edit: impl Fn(&mut Vec<Value>)) -> String {
    let edited = |line: &str| {
        let mut records: Vec<Value> = serde_json::from_str(line).unwrap();
        edit(&mut records);
        format!("{}\n", json!(records))
    };
    journal.lines().map(edited).collect()
}

/// As if it had been made in the last month, and no invoice yet.
fn changed_at(change: DateTime<Utc>, records: &mut Vec<Value>) {
    records.retain(|record| record["kind"] != "invoice");
    for subscription in records.iter_mut().filter(|record| record["kind"] == "subscription") {
        for moment in ["began_at", "terminated_at"] {
            if !subscription["is"][moment].is_null() {
                subscription["is"][moment] = json!(change);
            }
        }
    }
}

/// The month-end invoice of the next plan tells nothing of the part before it, whose fee is all that there is.
#[tokio::test]
async fn the_part_of_a_month_before_a_change_of_plan_lacks_its_own_invoice() {
    let change = midnight() - TimeDelta::days(10);
    for (plan, next, invoice) in [("team", "enterprise", Invoicing::Uninvoiced), ("developer", "team", Invoicing::Made)]
    {
        let mut stage = Stage::since(midnight() - TimeDelta::days(70)).await;
        sqlx::query("UPDATE tenants SET plan = $1").bind(plan).execute(stage.pool()).await.unwrap();
        stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
        stage.moves_to(next).await;
        assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
        stage.goes_on_with(|journal| edited(&journal, |records| changed_at(change, records))).await;
        stage.closes(last_month()).await;
        assert_eq!(stage.lago.invoices(&acme()).await.unwrap().len(), 2, "one for each plan");
        assert_eq!(stage.late(last_month()).await.invoice, Invoicing::Made, "{plan}");

        let is_its = |record: &Value| record["kind"] == "invoice" && moment(&record["is"]["until"]) == Some(change);
        stage.goes_on_with(|journal| edited(&journal, |records| records.retain(|record| !is_its(record)))).await;
        assert_eq!(stage.lago.invoices(&acme()).await.unwrap().len(), 1);
        let late = stage.late(last_month()).await;
        assert_eq!(late.invoice, invoice, "a part of {plan} that used nothing: {late:#?}");
    }
}

fn moment(told: &Value) -> Option<DateTime<Utc>> {
    told.as_str()?.parse().ok()
}

#[tokio::test]
async fn the_hourly_comparison_counts_a_month_without_its_invoice() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let looks = async || {
        let reconciler = Some(stage.reconciler_awaiting(Duration::ZERO));
        let last_look = LastLook::every(Duration::from_secs(3600));
        let books = Reconcile { pool: stage.pool().clone(), reconciler, last_look };
        Box::pin(books.look(&watch::Sender::new(Progress::default()))).await.unwrap()
    };
    let [open, before]: [ReconciledMonth; 2] = looks().await.months.try_into().unwrap();
    assert_eq!((open.drifting, before.drifting, before.named), (0, 1, vec!["acme invoice".to_owned()]));
    stage.closes(last_month()).await;
    assert!(looks().await.months.iter().all(|month| month.drifting == 0));
}
