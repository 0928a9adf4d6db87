//! What billing is told of tenants: changes of plan, and the end.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use store::accounts::{self, plans};
use store::limits::rules;
use store::tenants;
use store::usage;
use store::usage::hours::{self, CallCount};
use store::usage::of_job::{self, BilledBy};

use crate::outbox::{Outbox, note_of};

#[tokio::test]
async fn a_tenant_on_another_plan_is_to_be_moved_and_one_that_billing_has_no_plan_for_has_the_default() {
    let outbox = Outbox::new().await;
    let plans = ["developer".to_owned(), "team".to_owned()];
    let to_move = async || accounts::to_move(&outbox.pool, &plans, "developer").await.unwrap();
    outbox.job().await;
    assert_eq!(to_move().await, [""; 0], "billing does not know it yet");
    accounts::is_on_plan(&outbox.pool, "acme", "developer").await.unwrap();
    assert_eq!(to_move().await, [""; 0], "`development` is none of billing's plans");
    let acme = "acme".parse().unwrap();
    let team = rules::Change { plan: Some("team".to_owned()), ..rules::Change::default() };
    assert!(rules::change(&outbox.pool, &acme, &team, &note_of(&acme)).await.unwrap());
    assert_eq!(to_move().await, ["acme"]);
    accounts::is_on_plan(&outbox.pool, "acme", "team").await.unwrap();
    assert_eq!(to_move().await, [""; 0]);
}

fn onto(plan: &str) -> rules::Change {
    rules::Change { plan: Some(plan.to_owned()), ..rules::Change::default() }
}

/// Its last invoice is by the plan that it had.
#[tokio::test]
async fn a_closed_tenant_is_put_on_no_other_plan_whenever_that_was_asked_for() {
    let outbox = Outbox::new().await;
    let acme = outbox.tenant("acme").await;
    let plans = ["developer".to_owned(), "team".to_owned(), "enterprise".to_owned()];
    let to_move = async || accounts::to_move(&outbox.pool, &plans, "developer").await.unwrap();
    accounts::is_on_plan(&outbox.pool, "acme", "developer").await.unwrap();
    assert!(rules::change(&outbox.pool, &acme, &onto("team"), &note_of(&acme)).await.unwrap());
    assert_eq!(to_move().await, ["acme"]);
    let since = accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap();
    assert_eq!(to_move().await, [""; 0], "what waited ends with the tenant");
    assert!(!rules::change(&outbox.pool, &acme, &onto("enterprise"), &note_of(&acme)).await.unwrap());
    assert_eq!(outbox.count("SELECT count(*) FROM audit_notes").await, 2, "nothing is written down of it");
    let found = tenants::find(&outbox.pool, "acme").await.unwrap().unwrap();
    assert_eq!((found.plan.as_str(), found.closed_at, found.billing_ended_at), ("team", since, None));
    let [listed] = tenants::list(&outbox.pool).await.unwrap().try_into().unwrap();
    assert_eq!(listed.closed_at, since);
}

#[tokio::test]
async fn a_change_of_plan_waits_for_who_closes_the_tenant_and_is_refused() {
    let outbox = Outbox::new().await;
    let acme = outbox.tenant("acme").await;
    let mut closing = store::begin(&outbox.pool).await.unwrap();
    let close = "UPDATE tenants SET closed_at = now() WHERE id = 'acme'";
    sqlx::query(close).execute(&mut *closing).await.unwrap();
    let other = outbox.through_own_pool();
    let changing = tokio::spawn(async move { rules::change(&other.pool, &acme, &onto("team"), &note_of(&acme)).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%SET plan%'
                    AND datname = current_database()";
    while outbox.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    closing.commit().await.unwrap();
    assert!(!changing.await.unwrap().unwrap());
    assert_eq!(outbox.count("SELECT count(*) FROM tenants WHERE plan = 'team'").await, 0);
}

#[tokio::test]
async fn a_closed_tenant_ends_when_all_that_it_used_is_billed() {
    let outbox = Outbox::new().await;
    let acme = "acme".parse().unwrap();
    let job = outbox.job().await;
    let to_end = async || accounts::to_end(&outbox.pool, Duration::ZERO).await.unwrap();
    assert_eq!(to_end().await, [""; 0], "it is open");
    let since = accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap().expect("it was there");
    assert_eq!(accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap(), Some(since), "closed once");
    assert_eq!(accounts::close(&outbox.pool, &"nobody".parse().unwrap(), &note_of(&acme)).await.unwrap(), None);
    assert_eq!(accounts::closed_since(&outbox.pool, &acme).await.unwrap(), Some(since));
    assert!(accounts::find(&outbox.pool, "acme").await.unwrap().unwrap().is_closed);
    assert_eq!(to_end().await, [""; 0], "a job goes on");
    outbox.cancel(job).await;
    assert_eq!(to_end().await, [""; 0], "its usage is due");
    let rows = usage::due_for_tenant(&outbox.pool, "acme", 10).await.unwrap();
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    usage::delivered(&outbox.pool, &ids).await.unwrap();
    let hour = chrono::DateTime::UNIX_EPOCH;
    let counted = CallCount { tenant: "acme".to_owned(), hour, calls: 3 };
    hours::count_calls(&outbox.pool, uuid::Uuid::new_v4(), &[counted]).await.unwrap();
    assert_eq!(to_end().await, [""; 0], "calls are not booked");
    hours::book_calls(&outbox.pool, 0.0).await.unwrap();
    usage::dead(&outbox.pool, "acme:api_calls:1970-01-01T00Z", "before its subscription").await.unwrap();
    assert_eq!(accounts::to_end(&outbox.pool, Duration::from_secs(60)).await.unwrap(), [""; 0], "some have not heard");
    assert_eq!(to_end().await, ["acme"]);
    accounts::has_ended(&outbox.pool, "acme").await.unwrap();
    assert_eq!(to_end().await, [""; 0]);
    assert!(accounts::find(&outbox.pool, "acme").await.unwrap().unwrap().has_ended);
}

/// An operator's change of plan is nobody's invoice yet: what counts is what the billing system told.
#[tokio::test]
async fn a_row_is_billed_by_the_plan_that_was_told_of_its_time() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let billed_by = async || of_job::rows(&outbox.pool, job).await.unwrap().remove(0).billed_by;
    let told = |plan: &str| BilledBy::Told(plan.to_owned());
    assert_eq!(billed_by().await, BilledBy::Expected("development".to_owned()), "billing does not know acme yet");
    accounts::is_on_plan(&outbox.pool, "acme", "team").await.unwrap();
    assert_eq!(billed_by().await, BilledBy::Unknown);
    assert_eq!(plans::unnoted(&outbox.pool).await.unwrap(), ["acme"]);

    let now = Utc::now();
    let noted = [("team", now - TimeDelta::days(40)), ("enterprise", now + TimeDelta::days(1))];
    for (plan, since) in [noted[0], noted[0], noted[1]] {
        plans::note(&outbox.pool, "acme", plan, since).await.unwrap();
    }
    assert_eq!(outbox.count("SELECT count(*) FROM billing_plans").await, 2, "each once");
    assert_eq!(plans::unnoted(&outbox.pool).await.unwrap(), [""; 0]);
    assert_eq!(billed_by().await, told("team"));
    plans::note(&outbox.pool, "acme", "developer", now - TimeDelta::hours(1)).await.unwrap();
    assert_eq!(billed_by().await, told("developer"), "it is not sent yet");
    outbox.rewrite_ledger("UPDATE usage_ledger SET billed_at = now() - interval '10 days'").await;
    assert_eq!(billed_by().await, told("team"), "its time is fixed");
    outbox.rewrite_ledger("UPDATE usage_ledger SET billed_at = now() - interval '50 days'").await;
    assert_eq!(billed_by().await, BilledBy::Unknown, "of that time nothing was told");
}
