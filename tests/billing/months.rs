//! The boundary between two months: what was used in one and is delivered in the other is billed once, in the documented
//! place.

use activities::reconciliation::Month;
use billing::{Delivery, UsageEvent};
use chrono::{DateTime, Datelike as _, NaiveTime, TimeDelta, Utc};
use store::usage;

use crate::stage::{Stage, acme, this_month};

/// The first moment of the month that is open.
pub fn midnight() -> DateTime<Utc> {
    Utc::now().date_naive().with_day(1).unwrap().and_time(NaiveTime::MIN).and_utc()
}

/// Acme has been there since the month before the last one.
pub async fn stage() -> Stage {
    Stage::since(midnight() - TimeDelta::days(40)).await
}

pub fn last_month() -> Month {
    this_month().before()
}

/// An event as it was sent in the last month.
pub fn sent(id: &str, units: u64, at: DateTime<Utc>) -> UsageEvent {
    UsageEvent {
        transaction_id: id.to_owned(),
        external_subscription_id: acme(),
        code: billing::Metric::ComputeUnits,
        timestamp: at.timestamp(),
        value: units.into(),
        gas: None,
    }
}

/// A row whose time was fixed in the last month, and whose delivery nobody knows of.
pub async fn fixed(stage: &Stage, name: &str, units: i64, at: DateTime<Utc>) -> String {
    let id = stage.used(name, units, at).await;
    let frozen = usage::freeze(stage.pool(), std::slice::from_ref(&id), at).await.unwrap();
    assert_eq!(frozen[&id], at);
    id
}

#[tokio::test]
async fn what_is_delivered_after_the_month_is_billed_in_the_next_one_as_of_its_first_moment() {
    let stage = stage().await;
    let before = midnight() - TimeDelta::milliseconds(100);
    stage.used("before", 3, before).await;
    stage.used("after", 5, midnight() + TimeDelta::milliseconds(100)).await;
    stage.delivers().await;
    stage.closes(last_month()).await;
    assert_eq!((stage.billed(last_month()).await, stage.billed(this_month()).await), ("nothing".into(), "8".into()));
    let billed_at: DateTime<Utc> =
        sqlx::query_scalar("SELECT billed_at FROM usage_ledger WHERE id = 'before:compute_units:0'")
            .fetch_one(stage.pool())
            .await
            .unwrap();
    assert_eq!(billed_at, midnight());
    stage.agrees(last_month()).await;
    stage.agrees(this_month()).await;
}

#[tokio::test]
async fn what_was_taken_before_the_month_was_closed_is_billed_in_it() {
    let stage = stage().await;
    let moment = midnight() - TimeDelta::milliseconds(100);
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let id = fixed(&stage, "unknown", 3, moment).await;
    // Lago took it, and nobody heard of it.
    assert_eq!(stage.lago.send(&[sent(&id, 3, moment)]).await.unwrap(), [Delivery::Delivered]);
    stage.closes(last_month()).await;
    stage.delivers().await;
    assert_eq!((stage.billed(last_month()).await, stage.billed(this_month()).await), ("3".into(), "0".into()));
    stage.agrees(last_month()).await;
    stage.agrees(this_month()).await;
}

#[tokio::test]
async fn what_never_arrived_in_its_month_is_booked_anew_in_the_open_one() {
    let stage = stage().await;
    let moment = midnight() - TimeDelta::seconds(9);
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    fixed(&stage, "lost", 3, moment).await;
    stage.closes(last_month()).await;
    stage.delivers().await;
    assert_eq!((stage.billed(last_month()).await, stage.billed(this_month()).await), ("nothing".into(), "3".into()));
    stage.agrees(last_month()).await;
    stage.agrees(this_month()).await;
    let total = "SELECT sum(units)::bigint FROM usage_ledger";
    assert_eq!(stage.outbox.count(total).await, 3, "what was used stays what was used");
}

/// Lago takes events of a closed period without a word, and bills them never.
#[tokio::test]
async fn what_arrived_after_the_invoice_of_its_month_is_booked_anew() {
    let stage = stage().await;
    let moment = midnight() - TimeDelta::seconds(9);
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    stage.closes(last_month()).await;
    // In the invoice's very second, or after it: its units say that it lacks them.
    let (unknown, known) = (fixed(&stage, "unknown", 3, moment).await, fixed(&stage, "known", 5, moment).await);
    for (id, units) in [(&unknown, 3), (&known, 5)] {
        stage.lago.send(&[sent(id, units, moment)]).await.unwrap();
    }
    usage::delivered(stage.pool(), std::slice::from_ref(&known)).await.unwrap();
    stage.delivers().await;
    // The one whose delivery was noted is found by reconciliation alone.
    let report = stage.report(last_month()).await;
    assert_eq!(report.lines[0].too_late, [known], "{report:#?}");
    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.booked_anew, repaired.delivered, repaired.left), (1, 1, 0));
    assert_eq!(stage.billed(this_month()).await, "8");
    stage.agrees(last_month()).await;
    stage.agrees(this_month()).await;
    assert_eq!(stage.outbox.count("SELECT sum(units)::bigint FROM usage_ledger").await, 8);
}
