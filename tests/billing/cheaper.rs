//! A cheaper plan: it begins with the month after the one in which it was asked for.

use billing::WholeInvoice;
use chrono::{DateTime, Months, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Value, json};
use store::usage;

use super::months::{self, fixed, last_month, midnight, sent};
use crate::stage::{ACME, Stage, acme, this_month};

/// The stand-in's data as if acme's cheaper plan had been asked for in the last month, to begin at a moment.
fn asked_last_month(journal: &str, begins: DateTime<Utc>) -> String {
    let asked = midnight() - TimeDelta::days(3);
    let mut told = String::new();
    for line in journal.lines() {
        let mut records: Vec<Value> = serde_json::from_str(line).unwrap();
        for record in records.iter_mut().filter(|record| record["kind"] == "subscription") {
            let subscription = &mut record["is"];
            if subscription["plan_code"] == "developer" {
                subscription["created_at"] = json!(asked);
                subscription["began_at"] = json!(begins);
            } else if !subscription["terminated_at"].is_null() {
                subscription["terminated_at"] = json!(begins);
            }
        }
        told += &format!("{}\n", json!(records));
    }
    told
}

/// Code, units and cents of an invoice's lines.
fn lines(invoice: &WholeInvoice) -> Vec<(&str, String, i64)> {
    invoice.fees.iter().map(|fee| (fee.code.as_str(), fee.units.to_string(), fee.amount_cents)).collect()
}

impl Stage {
    /// Acme is put on the plan developer, which waits.
    async fn asks_for_a_cheaper_plan(&self) {
        self.moves_to("developer").await;
        assert_eq!(self.delivery().settle_accounts().await.unwrap(), 1);
        assert_eq!(self.plan().await, "team");
    }

    async fn plan(&self) -> String {
        self.lago.subscription(&acme()).await.unwrap().expect("a subscription").plan
    }

    /// The plans that bill acme, as they were noted.
    async fn noted_plans(&self) -> Vec<(String, DateTime<Utc>)> {
        let plans = "SELECT plan, since FROM billing_plans WHERE tenant = 'acme' ORDER BY since";
        sqlx::query_as(plans).fetch_all(self.pool()).await.unwrap()
    }

    /// Cents of the compute units that would be invoiced now.
    async fn cents(&self) -> i64 {
        let usage = self.lago.current_usage(&acme()).await.unwrap();
        usage.lines.iter().find(|line| line.metric == "compute_units").expect("a line").amount_cents
    }
}

#[tokio::test]
async fn a_month_is_billed_by_the_plan_that_it_had_and_the_next_one_by_the_cheaper_one() {
    let mut stage = months::stage().await;
    let midnight = midnight();
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = midnight - TimeDelta::seconds(9);
    let taken = fixed(&stage, "taken", 150_000, moment).await;
    stage.lago.send(&[sent(&taken, 150_000, moment), sent("unknown:compute_units:0", 1_000, moment)]).await.unwrap();
    usage::delivered(stage.pool(), &[taken]).await.unwrap();
    stage.asks_for_a_cheaper_plan().await;
    let team = stage.noted_plans().await;
    assert_eq!(team, [("team".to_owned(), midnight - TimeDelta::days(40))]);

    stage.goes_on_with(|journal| asked_last_month(&journal, midnight)).await;
    assert_eq!(stage.plan().await, "developer");
    let month = last_month().to_string();
    let closed = stage.runs(&["billing", "close-month", &month]).await.ends(0);
    assert_eq!(closed.stdout, format!("1 invoices made for {month}\n"));
    // Nobody heard whether these were taken before midnight: one was, and one was not. Another one was not sent by then.
    fixed(&stage, "unknown", 1_000, moment).await;
    fixed(&stage, "lost", 3_000, moment).await;
    let late = stage.used("late", 7_000, midnight - TimeDelta::milliseconds(100)).await;
    stage.used("after", 10_000, midnight).await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 0, "nothing is asked for again");
    stage.delivers().await;

    let billed_at: DateTime<Utc> = sqlx::query_scalar("SELECT billed_at FROM usage_ledger WHERE id = $1")
        .bind(late)
        .fetch_one(stage.pool())
        .await
        .unwrap();
    assert_eq!(billed_at, midnight);
    assert_eq!((stage.billed(last_month()).await, stage.billed(this_month()).await), ("151000".into(), "20000".into()));
    assert_eq!(stage.cents().await, 100, "10,000 are free; the plan before would take 160");
    assert_eq!(stage.noted_plans().await, [team[0].clone(), ("developer".to_owned(), midnight)]);
    for month in [last_month(), this_month()] {
        stage.runs(&["billing", "reconcile", "--month", &month.to_string()]).await.ends(0);
    }

    stage.is_ended_by_hand().await;
    let mut invoices = stage.lago.invoices_of(&acme(), midnight - TimeDelta::days(31), Utc::now()).await.unwrap();
    invoices.sort_by_key(|invoice| invoice.periods[0].from);
    let [before, after] = invoices.as_slice() else { panic!("two invoices: {invoices:#?}") };
    assert_eq!((before.periods[0].until(), after.periods[0].from), (midnight, midnight));
    // 100,000 at 0.00008 and 51,000 at 0.00006; the cheaper plan would take 14.10.
    let of_team = [("compute_units", "151000".to_owned(), 1_106), ("team", "1".to_owned(), 4_900)];
    assert_eq!(lines(before), of_team);
    assert_eq!(lines(after), [("compute_units", "20000".to_owned(), 100), ("developer", "1".to_owned(), 0)]);
    stage.agrees(last_month()).await;
    stage.agrees_by_metric(this_month()).await;
}

/// Lago changes the plan when its clock looks, within the month's first hour: what it has of the month from before that is
/// on no invoice.
#[tokio::test]
async fn what_is_used_before_the_cheaper_plan_has_begun_waits_and_is_billed_by_it() {
    let mut stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage.asks_for_a_cheaper_plan().await;
    stage.used("early", 20_000, midnight()).await;
    stage.goes_on_with(|journal| asked_last_month(&journal, midnight() + Months::new(1))).await;
    let waits = stage.delivery().deliver_overdue(0.0).await.unwrap_err();
    assert!(format!("{waits:#}").ends_with("has not begun yet: rows wait for it"), "{waits:#}");
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE billed_at IS NOT NULL").await, 0);

    let began = Utc::now().trunc_subsecs(0);
    stage.goes_on_with(|journal| asked_last_month(&journal, began)).await;
    stage.delivers().await;
    let billed_at: DateTime<Utc> =
        sqlx::query_scalar("SELECT billed_at FROM usage_ledger").fetch_one(stage.pool()).await.unwrap();
    assert_eq!(billed_at, began);
    assert_eq!((stage.cents().await, stage.billed(this_month()).await), (100, "20000".to_owned()));
    assert_eq!(stage.noted_plans().await[1], ("developer".to_owned(), began));
    stage.agrees(this_month()).await;
}
