//! The hourly comparison: which tenants it leaves out, and how it goes on where an attempt was cut.

use std::time::Duration;

use activities::{LastLook, Progress, Reconcile};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;
use store::usage;
use tokio::sync::watch;
use workflows::activities::Reconciled;

use super::months::{fixed, last_month, midnight, sent};
use super::unread::{ABEL, Watched};
use crate::stage::{ACME, Stage, acme, this_month};

impl Stage {
    /// Acme was there in the month before the last one and used something, of which Lago and the ledger agree; by now it is
    /// closed, and Lago has terminated its subscription.
    async fn has_ended() -> Self {
        let stage = Self::since(midnight() - TimeDelta::days(50)).await;
        stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
        let moment = midnight() - TimeDelta::days(40);
        let id = fixed(&stage, "old", 3, moment).await;
        stage.lago.send(&[sent(&id, 3, moment)]).await.unwrap();
        usage::delivered(stage.pool(), &[id]).await.unwrap();
        for month in [last_month().before(), last_month()] {
            stage.closes(month).await;
        }
        stage.loses_acme().await;
        assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
        stage
    }

    /// As if it had ended so long ago.
    async fn ended_at(&self, moment: DateTime<Utc>) {
        let update = "UPDATE tenants SET billing_ended_at = $1 WHERE id = 'acme'";
        sqlx::query(update).bind(moment).execute(self.pool()).await.unwrap();
    }

    /// An attempt of the schedule's activity.
    async fn looks(&self, progress: &watch::Sender<Progress>) -> anyhow::Result<Reconciled> {
        let last_look = LastLook::every(Duration::from_secs(3600));
        let books = Reconcile { pool: self.pool().clone(), reconciler: Some(self.reconciler()), last_look };
        Box::pin(books.look(progress)).await
    }

    /// A whole run.
    async fn compares(&self) -> Reconciled {
        self.looks(&watch::Sender::new(Progress::default())).await.unwrap()
    }

    /// Abel and acme, each with a row that was delivered as we know, and that Lago has not.
    async fn with_losses() -> Self {
        let stage = Self::new().await;
        let of_abel = stage.has_abel().await;
        stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
        let of_acme = stage.used("lost", 11, Utc::now() - TimeDelta::seconds(2)).await;
        let lost = [of_abel, of_acme];
        usage::freeze(stage.pool(), &lost, DateTime::UNIX_EPOCH).await.unwrap();
        usage::delivered(stage.pool(), &lost).await.unwrap();
        stage
    }
}

/// The first moment of the month before.
fn last_midnight() -> DateTime<Utc> {
    (midnight() - TimeDelta::days(1)).with_day(1).unwrap()
}

/// Tenants that were compared, of the open month and of the one before.
fn tenants(found: &Reconciled) -> Vec<u32> {
    found.months.iter().map(|month| month.tenants).collect()
}

fn drifting(found: &Reconciled) -> Vec<u32> {
    found.months.iter().map(|month| month.drifting).collect()
}

/// How often a tenant was asked for.
fn asked_for(way: &Watched, tenant: &str) -> usize {
    way.asked().iter().filter(|(path, _)| path.contains(tenant)).map(|(_, times)| times).sum()
}

fn never_ends() -> Response {
    Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>()).into_response()
}

#[tokio::test]
async fn a_tenant_that_ended_is_left_out_the_month_after_the_next_and_shown_by_hand() {
    let mut stage = Stage::has_ended().await;
    let way = stage.is_watched(|_| None).await;
    stage.ended_at(last_midnight()).await;
    let found = stage.compares().await;
    assert_eq!((tenants(&found), drifting(&found)), (vec![1, 1], vec![0, 0]), "{found:?}");
    let asked = asked_for(&way, ACME);
    assert!(asked > 0);

    stage.ended_at(last_midnight() - TimeDelta::seconds(1)).await;
    assert_eq!(tenants(&stage.compares().await), [0, 0]);
    assert_eq!(asked_for(&way, ACME), asked, "Lago is asked nothing more of it");
    let month = last_month().before().to_string();
    let table = stage.runs(&["billing", "reconcile", "--month", &month]).await.ends(0);
    let is_shown = |line: &str| line.starts_with("acme ") && line.contains("compute_units") && line.ends_with("  ok");
    assert!(table.stdout.lines().any(is_shown), "{table:#?}");
}

#[tokio::test]
async fn a_row_that_comes_after_the_end_brings_its_tenant_back() {
    let stage = Stage::has_ended().await;
    stage.ended_at(last_midnight() - TimeDelta::seconds(1)).await;
    // Whenever it was used: it waits.
    stage.used("late", 7, midnight() - TimeDelta::days(40)).await;
    let found = stage.compares().await;
    assert_eq!((tenants(&found), drifting(&found)), (vec![1, 1], vec![1, 1]), "{found:?}");
    assert_eq!(found.months[0].named, ["acme compute_units"]);

    stage.delivers().await;
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE dead_reason IS NOT NULL").await, 1);
    let found = stage.compares().await;
    assert_eq!((tenants(&found), found.dead_letters), (vec![0, 0], 1), "a dead letter of an old month");
}

#[tokio::test]
async fn an_account_that_nothing_bills_is_counted_and_named_also_where_nothing_was_used() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    assert_eq!(drifting(&stage.compares().await), [0, 0]);
    stage.is_ended_by_hand().await;
    let found = stage.compares().await;
    assert_eq!(drifting(&found), [1, 0], "it had one in the month before: {found:?}");
    assert_eq!(found.months[0].named, ["acme subscription"]);
}

/// Lago bills it as soon as somebody has made the subscription anew, and not before.
#[tokio::test]
async fn a_strangers_event_for_a_tenant_that_ended_is_found_where_lago_may_bill_it() {
    let stage = Stage::has_ended().await;
    stage.ended_at(last_midnight() - TimeDelta::seconds(1)).await;
    let event = json!({ "transaction_id": "stranger", "external_subscription_id": ACME, "code": "compute_units",
                        "timestamp": Utc::now().timestamp(), "properties": { "value": "5" } });
    stage.by_hand(Method::POST, "events", json!({ "event": event })).await;
    assert_eq!(tenants(&stage.compares().await), [0, 0]);
    let by_hand = stage.runs(&["billing", "reconcile", "--month", &this_month().to_string()]).await.ends(9);
    assert!(by_hand.stdout.contains("DRIFT: 1 unknown here (stranger …)"), "{by_hand:#?}");

    stage.is_subscribed_by_hand(None).await;
    let found = stage.compares().await;
    assert_eq!((tenants(&found), drifting(&found)), (vec![1, 1], vec![1, 0]), "{found:?}");
    assert_eq!(found.months[0].named, ["acme compute_units"]);
}

#[tokio::test]
async fn an_attempt_goes_on_behind_the_last_tenant_of_the_one_that_was_cut() {
    let mut stage = Stage::with_losses().await;
    let whole = stage.compares().await;
    assert_eq!(whole.months[0].named, ["abel compute_units", "acme compute_units"]);

    let origin = stage.origin.clone();
    stage.is_watched(|asked| asked.names(ACME).then(never_ends)).await;
    let (progress, mut told) = watch::channel(Progress::default());
    tokio::select! {
        found = stage.looks(&progress) => panic!("nothing has cut it: {found:?}"),
        behind = told.wait_for(|told| told.after.as_deref() == Some(ABEL)) => drop(behind),
    }
    let details = serde_json::to_string(&*progress.borrow()).unwrap();

    stage.origin = origin;
    let way = stage.is_watched(|_| None).await;
    let lost = watch::Sender::new(serde_json::from_str(&details).unwrap());
    assert_eq!(stage.looks(&lost).await.unwrap(), whole, "as if nothing had happened");
    assert_eq!(asked_for(&way, ABEL), 0, "{:#?}", way.asked());
    assert!(asked_for(&way, ACME) > 0);
}

#[tokio::test]
async fn where_nobody_could_be_read_the_next_attempt_begins_anew() {
    let mut stage = Stage::with_losses().await;
    let whole = stage.compares().await;
    let origin = stage.origin.clone();
    stage
        .is_watched(|asked| {
            let is_of_a_tenant = asked.names(ABEL) || asked.names(ACME);
            is_of_a_tenant.then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
        })
        .await;
    let progress = watch::Sender::new(Progress::default());
    let error = stage.looks(&progress).await.unwrap_err();
    assert!(error.to_string().starts_with("no tenant's books could be read; abel: "), "{error:#}");

    stage.origin = origin;
    assert_eq!(stage.looks(&progress).await.unwrap(), whole);
}
