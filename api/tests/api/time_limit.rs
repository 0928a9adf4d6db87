//! A request that takes too long is answered all the same, and leaves nothing half done.

use std::time::Duration;

use crate::app::{TestApp, job};

/// Long beside what a busy machine takes for a request that nothing holds up.
const LIMIT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_stuck_submission_is_answered_and_can_be_repeated() {
    let app = TestApp::with_timeout(LIMIT).await;
    let ada = app.developer("ada").await;
    let mut stuck = store::begin(&app.pool).await.unwrap();
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

/// Over a real connection: a body that promises more than it sends, and one that says nothing of its length.
#[tokio::test]
async fn a_client_that_keeps_its_body_back_is_told_so() {
    let app = TestApp::with_timeout(LIMIT).await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    for (path, length) in
        [("jobs", "content-length: 1000"), ("jobs", "transfer-encoding: chunked"), ("blobs", "content-length: 1000")]
    {
        let media_type = if path == "jobs" { "application/json" } else { "application/octet-stream" };
        let part = if length.starts_with("content") { "{\"type\":" } else { "8\r\n{\"type\":" };
        let request = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: zama\r\nauthorization: Bearer {}\r\ncontent-type: {media_type}\r\n\
             {length}\r\n\r\n{part}",
            ada.token
        );
        let answer = server.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}, {length}: {answer}");
        assert!(answer.contains("\"code\":\"BODY_TIMEOUT\"") && answer.contains("retry-after: "), "{answer}");
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}
