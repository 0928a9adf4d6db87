//! What is metered by the hour: what is stored and what was called do not wait for each other.

use activities::BookHours;
use chrono::{DurationRound as _, TimeDelta, Utc};
use store::usage::hours::{self, CallCount};
use uuid::Uuid;

use crate::stage::{ACME, Stage};

#[tokio::test]
async fn calls_are_booked_also_when_what_is_stored_cannot_be_and_that_is_told() {
    let stage = Stage::new().await;
    // Together they are no bigint: whoever adds them up fails.
    stage
        .outbox
        .execute(
            "INSERT INTO blobs (tenant, sha256, size, created_by)
             SELECT 'acme', decode(repeat(byte, 32), 'hex'), 9223372036854775807, 'ada'
               FROM (VALUES ('01'), ('02')) AS b (byte)",
        )
        .await;
    let hour = (Utc::now() - TimeDelta::hours(3)).duration_trunc(TimeDelta::hours(1)).unwrap();
    let count = CallCount { tenant: ACME.to_owned(), hour, calls: 7 };
    hours::count_calls(stage.pool(), Uuid::new_v4(), &[count]).await.unwrap();

    let books = BookHours { pool: stage.pool().clone() };
    let failed = books.book().await.unwrap_err();
    assert!(failed.to_string().contains("what is stored was not booked"), "{failed:#}");
    let called = "SELECT coalesce(sum(units), 0)::bigint FROM usage_ledger WHERE metric = 'api_calls'";
    assert_eq!(stage.outbox.count(called).await, 7);

    stage.outbox.execute("UPDATE blobs SET size = 1000").await;
    assert_eq!(books.book().await.unwrap(), 1, "what was left");
    assert_eq!(stage.outbox.count(called).await, 7);
}
