//! A request that takes too long is answered all the same, and leaves nothing half done.

use std::time::Duration;

use crate::app::{TestApp, job};

#[tokio::test]
async fn a_stuck_submission_is_answered_and_can_be_repeated() {
    let app = TestApp::with_timeout(Duration::from_millis(500)).await;
    let ada = app.developer("ada").await;
    let mut stuck = app.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE").execute(&mut *stuck).await.unwrap();
    let answer = app.submit_with_key(&ada, "k", &job(6)).await;
    answer.problem("REQUEST_TIMEOUT");
    assert!(answer.headers.contains_key("retry-after"));
    stuck.rollback().await.unwrap();

    // The request that was given up holds the key until the database has ended its transaction.
    let mut waiting = app.pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('idempotency/acme/k', 0))")
        .execute(&mut *waiting)
        .await
        .unwrap();
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut *waiting).await.unwrap();
    drop(waiting);
    assert_eq!(app.submit_with_key(&ada, "k", &job(6)).await.status, 202);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}
