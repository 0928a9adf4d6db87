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

    let mut tries = 0;
    while app.submit_with_key(&ada, "k", &job(6)).await.status != 202 {
        tries += 1;
        assert!(tries < 50, "the key is free again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}
