//! What billing is told of tenants: changes of plan, and the end.

use store::accounts::{self, Heard};
use store::limits::rules;
use store::usage;
use store::usage::hours::{self, CallCount};

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

#[tokio::test]
async fn a_closed_tenant_ends_when_all_that_it_used_is_billed() {
    let outbox = Outbox::new().await;
    let acme = "acme".parse().unwrap();
    let job = outbox.job().await;
    let to_end = async || accounts::to_end(&outbox.pool).await.unwrap();
    assert_eq!(to_end().await, [""; 0], "it is open");
    let since = accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap().expect("it was there");
    assert_eq!(accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap(), Some(since), "closed once");
    assert_eq!(accounts::close(&outbox.pool, &"nobody".parse().unwrap(), &note_of(&acme)).await.unwrap(), None);
    assert!(accounts::is_closed(&outbox.pool, &acme).await.unwrap());
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
    assert_eq!(to_end().await, ["acme"]);
    accounts::has_ended(&outbox.pool, "acme").await.unwrap();
    assert_eq!(to_end().await, [""; 0]);
    assert!(accounts::find(&outbox.pool, "acme").await.unwrap().unwrap().has_ended);
}

#[tokio::test]
async fn notices_are_heard_once_and_forgotten_when_they_are_old() {
    let outbox = Outbox::new().await;
    for key in ["old", "new", "new"] {
        accounts::hear(&outbox.pool, key, "invoice.created", "{}").await.unwrap();
    }
    outbox
        .execute("UPDATE billing_notices SET received_at = now() - interval '91 days' WHERE unique_key = 'old'")
        .await;
    assert_eq!(accounts::forget_notices(&outbox.pool, 92).await.unwrap(), 0);
    assert_eq!(accounts::forget_notices(&outbox.pool, 90).await.unwrap(), 1);
    assert_eq!(accounts::notices(&outbox.pool, 9).await.unwrap().len(), 1);
    assert_eq!(accounts::hear(&outbox.pool, "new", "invoice.created", "{}").await.unwrap(), Heard::Known);
}
