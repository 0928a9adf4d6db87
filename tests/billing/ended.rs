//! A subscription that somebody ended in Lago by hand: nothing takes the tenant's rows any more, and nobody else waits.

use std::slice::from_ref;

use activities::billing_delivery::BillingDelivery;
use chrono::{SubsecRound as _, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use store::usage;

use super::months::{fixed, sent};
use super::unread::Watched;
use crate::stage::{ACME, Stage, acme, this_month};
use crate::unreliable::{drafting, invoicing_later};

const UNDELIVERED: &str = "SELECT count(*) FROM usage_ledger WHERE delivered_at IS NULL";
const VOIDED: &str = "SELECT count(*) FROM usage_ledger WHERE voided";

impl Stage {
    /// Ids and reasons, as the operator sees them.
    async fn set_aside(&self) -> Vec<(Value, Value)> {
        let listed = self.runs(&["--json", "billing", "dead-letters", "list", "--tenant", ACME]).await.ends(0).json();
        listed["data"].as_array().unwrap().iter().map(|one| (one["id"].clone(), one["reason"].clone())).collect()
    }

    /// One turn over everything that is due, which nothing stops; tells how many rows were delivered.
    async fn takes_its_turn(&self, delivery: &BillingDelivery) -> u32 {
        delivery.deliver(usage::overdue(self.pool(), 0.0, 10).await.unwrap()).await.unwrap()
    }
}

/// As after the two minutes within which a row may still arrive.
fn without_doubt(mut delivery: BillingDelivery) -> BillingDelivery {
    delivery.in_doubt = TimeDelta::zero();
    delivery
}

#[tokio::test]
async fn its_rows_are_set_aside_with_the_way_out_and_the_others_are_delivered() {
    let stage = Stage::new().await;
    stage
        .outbox
        .execute("INSERT INTO tenants (id, plan, created_at) VALUES ('globex', 'team', now() - interval '1 minute')")
        .await;
    stage.used("before", 5, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.is_ended_by_hand().await;
    let late = stage.used("late", 7, Utc::now() - TimeDelta::seconds(1)).await;
    stage
        .outbox
        .execute(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
             VALUES ('globex:compute_units:0', 'globex', 'compute_units', '0', 2, now() - interval '1 second')",
        )
        .await;
    let due = usage::overdue(stage.pool(), 0.0, 10).await.unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!(stage.delivery().deliver(due).await.unwrap(), 1, "the other tenant's, and nothing failed");

    let aside = stage.set_aside().await;
    let reason = "the tenant's subscription was ended in the billing system: make it anew there, then retry";
    assert_eq!(aside, [(json!(late), json!(reason))]);
    stage.runs(&["billing", "reconcile"]).await.ends(9);
    assert_eq!(stage.billed(this_month()).await, "5", "its last invoice");

    stage.is_subscribed_by_hand(None).await;
    let retried = stage.runs(&["billing", "dead-letters", "retry", "--tenant", ACME]).await.ends(0);
    assert_eq!(retried.stdout, "1 rows are due again\n");
    stage.delivers().await;
    assert_eq!((stage.set_aside().await.len(), stage.outbox.count(UNDELIVERED).await), (0, 0));
    assert_eq!(stage.billed(this_month()).await, "12");
    stage.runs(&["billing", "reconcile"]).await.ends(0);
}

/// The start of the open period is believed for a minute; and what may have been sent within it may still arrive.
#[tokio::test]
async fn a_reporter_that_knows_it_as_open_learns_that_it_has_ended() {
    let stage = Stage::new().await;
    let mut delivery = stage.delivery();
    stage.used("before", 5, Utc::now() - TimeDelta::seconds(2)).await;
    while stage.turn(&delivery).await {}
    stage.is_ended_by_hand().await;
    let late = stage.used("late", 7, Utc::now() - TimeDelta::seconds(1)).await;
    let due = usage::overdue(stage.pool(), 0.0, 10).await.unwrap();
    assert!(delivery.deliver(due).await.is_err(), "it was open a moment ago");
    assert_eq!(stage.takes_its_turn(&delivery).await, 0);
    assert_eq!(stage.set_aside().await, Vec::new(), "another process may have sent it before the end");
    delivery.in_doubt = TimeDelta::zero();
    assert_eq!(stage.takes_its_turn(&delivery).await, 0);
    assert_eq!(stage.set_aside().await[0].0, json!(late));
}

/// What Lago took before the end, and nobody heard of, is on its last invoice.
#[tokio::test]
async fn what_it_took_before_its_end_is_delivered() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = (Utc::now() - TimeDelta::seconds(2)).trunc_subsecs(0);
    let id = fixed(&stage, "unknown", 3, moment).await;
    stage.lago.send(&[sent(&id, 3, moment)]).await.unwrap();
    fixed(&stage, "unsent", 4, moment).await;
    stage.is_ended_by_hand().await;
    assert_eq!(stage.takes_its_turn(&without_doubt(stage.delivery())).await, 1);
    assert_eq!(stage.set_aside().await.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["unsent:compute_units:0"]);
    assert_eq!(
        stage.outbox.count("SELECT sum(units)::bigint FROM usage_ledger WHERE delivered_at IS NOT NULL").await,
        3
    );
    // What was not sent is a person's.
    stage.runs(&["billing", "reconcile"]).await.ends(9);
}

/// As a Lago that makes its last invoice in the background, or keeps it as a draft for days.
#[tokio::test]
async fn what_its_last_invoice_is_to_bill_waits_for_it_and_is_billed_once() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = (Utc::now() - TimeDelta::seconds(2)).trunc_subsecs(0);
    let id = fixed(&stage, "unknown", 3, moment).await;
    stage.lago.send(&[sent(&id, 3, moment)]).await.unwrap();
    stage.is_ended_by_hand().await;

    for origin in [invoicing_later(&stage.origin).await, drafting(&stage.origin).await] {
        assert_eq!(stage.takes_its_turn(&without_doubt(stage.delivery_to(&origin))).await, 0);
        let stands = (stage.outbox.count(UNDELIVERED).await, stage.outbox.count(VOIDED).await);
        assert_eq!((stands, stage.set_aside().await), ((1, 0), Vec::new()));
    }
    stage.delivers().await;
    assert_eq!((stage.outbox.count(UNDELIVERED).await, stage.outbox.count(VOIDED).await), (0, 0));
    stage.is_subscribed_by_hand(None).await;
    stage.delivers().await;
    assert_eq!((stage.billed(this_month()).await.as_str(), stage.events().await.len()), ("3", 1));
    stage.runs(&["billing", "reconcile"]).await.ends(0);
}

/// A turn asks about some of them, the next one about those behind them; what was never sent needs no answer.
#[tokio::test]
async fn rows_that_wait_for_the_last_invoice_hold_back_none_of_the_others() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = (Utc::now() - TimeDelta::seconds(2)).trunc_subsecs(0);
    for name in ["1", "2", "3"] {
        let id = fixed(&stage, name, 3, moment).await;
        stage.lago.send(&[sent(&id, 3, moment)]).await.unwrap();
    }
    let lost = fixed(&stage, "4-lost", 5, moment).await;
    let unsent = stage.used("5-unsent", 7, moment).await;
    stage.is_ended_by_hand().await;
    let watched = Watched::before(&drafting(&stage.origin).await, |_| None).await;
    let mut delivery = without_doubt(stage.delivery_to(&watched.origin));
    delivery.asked_at_most = 2;
    let lists = || -> usize {
        let asked = watched.asked();
        asked.iter().filter(|(path, _)| path.starts_with("/api/v1/invoices?")).map(|(_, times)| times).sum()
    };

    assert_eq!(stage.takes_its_turn(&delivery).await, 0);
    let aside = || async { stage.set_aside().await.into_iter().map(|(id, _)| id).collect::<Vec<_>>() };
    assert_eq!(aside().await, [json!(unsent)], "although it is the last");
    assert_eq!(lists(), 1, "once for all rows");
    assert_eq!(stage.takes_its_turn(&delivery).await, 0);
    let found = aside().await;
    assert!(found.len() == 2 && found.contains(&json!(lost)), "{found:?}");

    // Of three that wait two are asked about in each turn, and all are billed when the invoice is final.
    let mut delivery = stage.delivery();
    delivery.asked_at_most = 2;
    assert_eq!((stage.takes_its_turn(&delivery).await, stage.takes_its_turn(&delivery).await), (2, 1));
    assert_eq!(stage.outbox.count(VOIDED).await, 0);
}

/// Lago takes an event of whatever time, and bills what lies behind the end never.
#[tokio::test]
async fn what_lago_took_of_a_time_behind_its_end_is_booked_anew_for_a_person() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage.is_ended_by_hand().await;
    let moment = Utc::now().trunc_subsecs(0) + TimeDelta::seconds(2);
    let id = stage.used("behind", 4, Utc::now() - TimeDelta::seconds(1)).await;
    usage::freeze(stage.pool(), from_ref(&id), moment).await.unwrap();
    let event = json!({ "transaction_id": id, "external_subscription_id": ACME, "code": "compute_units",
                        "timestamp": moment.timestamp(), "properties": { "value": "4" } });
    stage.by_hand(Method::POST, "events", json!({ "event": event })).await;

    assert_eq!(stage.takes_its_turn(&stage.delivery()).await, 0);
    assert_eq!(stage.outbox.count(VOIDED).await, 2, "it, and what takes it back");
    assert_eq!(stage.takes_its_turn(&stage.delivery()).await, 0);
    let aside: Vec<Value> = stage.set_aside().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(aside, [json!(format!("{id}.2"))]);
}

/// Neither another plan nor another default one makes a subscription of who has none any more: that is finance's.
#[tokio::test]
async fn another_plan_makes_no_subscription_anew() {
    let stage = Stage::new().await;
    stage.outbox.execute("UPDATE tenants SET plan = 'development' WHERE id = 'acme'").await;
    let mut delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    stage.used("before", 5, Utc::now() - TimeDelta::seconds(2)).await;
    // Its period is believed to be open for a minute from here.
    while stage.turn(&delivery).await {}
    stage.is_ended_by_hand().await;

    delivery.default_plan = "team".to_owned();
    for plan in ["development", "enterprise"] {
        stage.moves_to(plan).await;
        assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
        assert_eq!(delivery.settle_accounts().await.unwrap(), 0, "it is not asked for again");
        assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None, "{plan}");
    }
    assert_eq!(stage.lago.invoices(&acme()).await.unwrap().len(), 1, "its last one");

    // Who makes it anew says its plan, and that one is told.
    stage.is_subscribed_by_hand(None).await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0);
    stage.used("anew", 7, Utc::now()).await;
    stage.delivers().await;
    assert_eq!((stage.set_aside().await, stage.outbox.count(UNDELIVERED).await), (Vec::new(), 0));
    let subscription = stage.lago.subscription(&acme()).await.unwrap().expect("a subscription");
    let noted: Vec<String> = sqlx::query_scalar("SELECT plan FROM billing_plans WHERE tenant = 'acme' ORDER BY since")
        .fetch_all(stage.pool())
        .await
        .unwrap();
    assert_eq!((subscription.plan.as_str(), noted), ("team", vec!["developer".to_owned(), "team".to_owned()]));
}

/// One that is to begin later takes the rows then: they wait, as they do where Lago knows nothing of the tenant at all.
#[tokio::test]
async fn rows_wait_for_a_subscription_that_is_to_begin() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage.is_ended_by_hand().await;
    stage.is_subscribed_by_hand(Some((Utc::now() + TimeDelta::days(3)).to_rfc3339())).await;
    stage.used("waits", 7, Utc::now() - TimeDelta::seconds(1)).await;
    let due = || usage::overdue(stage.pool(), 0.0, 10);
    assert!(stage.delivery().deliver(due().await.unwrap()).await.is_err());
    assert_eq!((due().await.unwrap().len(), stage.set_aside().await), (1, Vec::new()));
}
