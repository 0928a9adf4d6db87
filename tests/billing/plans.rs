//! A tenant that changes its plan within a month, and one that is closed.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use billing::FeeKind;
use chrono::{TimeDelta, Utc};
use sqlx::PgPool;
use store::accounts;

use crate::outbox::note_of;
use crate::stage::{ACME, Stage, acme, this_month};
use crate::unreliable::{Forward, serve};

async fn plan_in_lago(stage: &Stage) -> String {
    stage.lago.subscription(&acme()).await.unwrap().expect("a subscription").plan
}

#[tokio::test]
async fn what_was_used_before_a_dearer_plan_is_invoiced_under_the_one_before() {
    let stage = Stage::new().await;
    stage.used("before", 100_000, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.used("due", 1_000, Utc::now() - TimeDelta::seconds(2)).await;
    stage.moves_to("enterprise").await;
    let delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0, "once");
    assert_eq!(plan_in_lago(&stage).await, "enterprise");
    stage.used("after", 7, Utc::now()).await;
    while stage.turn(&delivery).await {}

    let invoices = stage.lago.invoices(&acme()).await.unwrap();
    assert_eq!(invoices.len(), 1, "{invoices:?}");
    let invoice = stage.lago.invoice(invoices[0].lago_id.as_ref().unwrap()).await.unwrap().unwrap();
    let fee = invoice.fees.iter().find(|fee| fee.code == "compute_units").unwrap();
    // 100,000 at 0.00008 and 1,000 at 0.00006, of plan team: 8.06
    assert_eq!((fee.kind.clone(), fee.units.to_string().as_str(), fee.amount_cents), (FeeKind::Charge, "101000", 806));
    let open = stage.lago.current_usage(&acme()).await.unwrap();
    let line = open.lines.iter().find(|line| line.metric == "compute_units").unwrap();
    assert_eq!(line.units.to_string(), "7");
    assert_eq!(stage.billed(this_month()).await, "101007");
    stage.agrees(this_month()).await;
}

/// Its plan's own fee runs from its first day, whether it uses anything or not.
#[tokio::test]
async fn a_tenant_that_uses_nothing_has_a_subscription_from_its_first_day() {
    let since = Utc::now() - TimeDelta::days(3);
    let stage = Stage::since(since).await;
    let sandbox = "INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme-sandbox', 'team', 'acme')";
    stage.outbox.execute(sandbox).await;
    let delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1, "a sandbox is never billed");
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0);
    let subscription = stage.lago.subscription(&acme()).await.unwrap().expect("a subscription");
    assert_eq!((subscription.plan.as_str(), plan_in_lago(&stage).await.as_str()), ("team", "team"));
    assert_eq!(subscription.started_at.map(|at| at.date_naive()), Some(since.date_naive()));
}

/// Another process has not heard of the change, and believes that the month's first day began the period.
#[tokio::test]
async fn what_is_sent_under_the_period_before_a_change_is_billed_under_the_plan_that_began() {
    let stage = Stage::new().await;
    stage.used("before", 10, Utc::now() - TimeDelta::seconds(2)).await;
    let mut other = stage.delivery();
    while stage.turn(&other).await {}
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    let began = stage.lago.subscription(&acme()).await.unwrap().unwrap().started_at.unwrap();

    let late = stage.used("late", 7, began - TimeDelta::seconds(1)).await;
    assert!(stage.turn(&other).await);
    assert_eq!(stage.lago.get_event(&late).await.unwrap(), None, "Lago would bill it never");
    // It may have been sent before: for a while nobody knows.
    stage.turn(&other).await;
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE voided").await, 0);
    other.in_doubt = TimeDelta::zero();
    while stage.turn(&other).await {}
    let open = stage.lago.current_usage(&acme()).await.unwrap();
    let line = open.lines.iter().find(|line| line.metric == "compute_units").unwrap();
    assert_eq!(line.units.to_string(), "7");
    assert_eq!(stage.outbox.count("SELECT sum(units)::bigint FROM usage_ledger").await, 17);
    let dead = "SELECT count(*) FROM usage_ledger WHERE dead_reason IS NOT NULL AND NOT voided";
    assert_eq!(stage.outbox.count(dead).await, 0);
    stage.agrees(this_month()).await;
}

#[tokio::test]
async fn a_cheaper_plan_waits_for_the_next_month_and_can_be_taken_back() {
    let stage = Stage::new().await;
    stage.used("before", 10, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    let delivery = stage.delivery();
    for (plan, next) in [("developer", Some("developer")), ("team", None)] {
        stage.moves_to(plan).await;
        assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
        assert_eq!(plan_in_lago(&stage).await, "team", "until the month is over");
        let url = format!("{}/api/v1/subscriptions/acme", stage.origin);
        let answer = reqwest::Client::new().get(url).bearer_auth(crate::stage::KEY).send().await.unwrap();
        let subscription: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(subscription["subscription"]["next_plan_code"].as_str(), next);
    }
    assert_eq!(stage.lago.invoices(&acme()).await.unwrap(), []);
    stage.used("after", 7, Utc::now() - TimeDelta::seconds(1)).await;
    stage.delivers().await;
    stage.agrees(this_month()).await;
}

/// What a job costs is said by the plan that bills it.
#[tokio::test]
async fn the_plan_that_bills_is_noted_when_lago_has_it_and_not_when_somebody_wants_it() {
    let stage = Stage::new().await;
    let delivery = stage.delivery();
    let noted = async || -> Vec<String> {
        let plans = "SELECT plan FROM billing_plans WHERE tenant = 'acme' ORDER BY since";
        sqlx::query_scalar(plans).fetch_all(stage.pool()).await.unwrap()
    };
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(noted().await, ["team"]);
    stage.moves_to("developer").await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(noted().await, ["team"], "until the month is over");
    stage.moves_to("enterprise").await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(noted().await, ["team", "enterprise"]);

    // A tenant from before plans were noted.
    stage.outbox.execute("DELETE FROM billing_plans").await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0);
    assert_eq!(noted().await, ["enterprise"]);
}

#[tokio::test]
async fn a_closed_tenants_subscription_ends_after_its_last_row_with_its_last_invoice() {
    let stage = Stage::new().await;
    stage.used("last", 10, Utc::now() - TimeDelta::seconds(2)).await;
    stage.loses_acme().await;
    let mut delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0, "something is due");
    stage.delivers().await;
    // Whoever has not heard of the close accepts jobs, and has calls to tell of.
    delivery.ends_after = Duration::from_secs(60);
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0, "it was closed a moment ago");
    stage.outbox.execute("UPDATE tenants SET closed_at = closed_at - interval '1 minute' WHERE id = 'acme'").await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0);
    assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None);
    assert_eq!(stage.lago.invoices(&acme()).await.unwrap().len(), 1);
    stage.agrees(this_month()).await;
    // What comes after the end can be billed by nothing, and is seen.
    let late = stage.used("late", 1, Utc::now()).await;
    stage.delivers().await;
    let letters =
        store::usage::dead_letters::list(stage.pool(), store::usage::dead_letters::Which::All, 9).await.unwrap();
    assert_eq!(letters.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&late]);
    let report = stage.report(this_month()).await;
    assert!(report.has_drifted(), "it is on no invoice: {report:#?}");
    assert_eq!(report.lines.iter().flat_map(|line| &line.dead_letters).collect::<Vec<_>>(), [&late]);
}

/// Plans whose own fee acme's invoices have.
async fn invoiced_plans(stage: &Stage) -> Vec<String> {
    let mut plans = Vec::new();
    for head in stage.lago.invoices(&acme()).await.unwrap() {
        let invoice = stage.lago.invoice(head.lago_id.as_deref().unwrap()).await.unwrap().unwrap();
        plans.extend(invoice.fees.into_iter().filter(|fee| fee.kind == FeeKind::Subscription).map(|fee| fee.code));
    }
    plans
}

async fn close_and_pass(State((pool, forward)): State<(PgPool, Forward)>, request: Request) -> Response {
    let acme = ACME.parse().unwrap();
    accounts::close(&pool, &acme, &note_of(&acme)).await.unwrap();
    forward.whole(request).await
}

/// A plan that it was put on before its end, and that nobody has told Lago of yet, is no plan that it was served by.
#[tokio::test]
async fn a_closed_tenants_last_invoice_is_by_the_plan_that_it_had_in_lago() {
    let stage = Stage::new().await;
    let delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    stage.moves_to("enterprise").await;
    stage.loses_acme().await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1, "its end alone");
    assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None);
    assert_eq!(invoiced_plans(&stage).await, ["team"]);
}

/// Between the look at who is to be moved and the word to Lago.
#[tokio::test]
async fn a_tenant_that_is_closed_while_it_is_moved_stays_on_its_plan() {
    let stage = Stage::new().await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    stage.moves_to("enterprise").await;
    let way = (stage.pool().clone(), Forward::to(&stage.origin));
    let closing = serve(Router::new().fallback(close_and_pass).with_state(way)).await;
    stage.delivery_to(&closing).settle_accounts().await.unwrap();
    assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None);
    assert_eq!(invoiced_plans(&stage).await, ["team"]);
}
