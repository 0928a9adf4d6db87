//! `Prefer: wait=N` on a submission.

use std::time::{Duration, Instant};

use crate::app::{Call, TestApp, User, job};

async fn submit(app: &TestApp, user: &User, key: &str, prefer: &str) -> crate::answer::Answer {
    app.send(Call::submit(job(104_729).to_string()).by(user).key(key).header("prefer", prefer)).await
}

/// The only job, as soon as it was admitted.
async fn the_job(app: &TestApp) -> String {
    for _ in 0..500 {
        let id: Option<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM jobs").fetch_optional(&app.pool).await.unwrap();
        if let Some(id) = id {
            return id.to_string();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no job was admitted");
}

#[tokio::test]
async fn a_job_that_ends_in_time_is_answered_whole() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let work = async {
        let id = the_job(&app).await;
        app.complete(&id).await;
        id
    };
    let (answer, id) = tokio::join!(submit(&app, &ada, "k", "wait=30"), work);
    let job = answer.expect(200);
    assert_eq!((&job["status"], &job["job_id"]), (&"COMPLETED".into(), &id.as_str().into()));
    let mut read = app.job(&ada, &id).await;
    read["billing"] = serde_json::Value::Null;
    assert_eq!(job, read);
    assert_eq!(answer.header("preference-applied"), "wait=30");
    assert_eq!(answer.header("idempotency-key"), "k");
    assert!(answer.header("location").ends_with(&id));

    let again = submit(&app, &ada, "k", "wait=30").await;
    assert_eq!(again.expect(200), job);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_longer_wait_than_there_is_becomes_the_longest() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let work = async {
        let id = the_job(&app).await;
        app.complete(&id).await;
    };
    let (answer, ()) = tokio::join!(submit(&app, &ada, "k", "wait=99999999999999999999999"), work);
    answer.expect(200);
    assert_eq!(answer.header("preference-applied"), "wait=60");
}

#[tokio::test]
async fn a_job_that_fails_or_is_cancelled_has_ended_too() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let work = async {
        let id = the_job(&app).await;
        app.fail(&id, jobs::ErrorCode::ComputeFailed, "It has no result.").await;
    };
    let (answer, ()) = tokio::join!(submit(&app, &ada, "k", "wait=30"), work);
    assert_eq!(answer.expect(200)["error"]["code"], "COMPUTE_FAILED");
}

#[tokio::test]
async fn a_job_that_takes_longer_is_accepted_as_ever() {
    let app = TestApp::with_timeout(Duration::from_secs(3)).await;
    let ada = app.developer("ada").await;
    let begin = Instant::now();
    let answer = submit(&app, &ada, "k", "wait=4").await;
    let waited = begin.elapsed();
    assert_eq!(answer.expect(202)["status"], "PENDING");
    assert_eq!(answer.header("preference-applied"), "wait=4");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(waited >= Duration::from_secs(4), "{waited:?}");
}

#[tokio::test]
async fn other_preferences_do_not_wait() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (n, prefer) in ["respond-async", "wait=0", "wait=soon", "wait=-5", "return=minimal"].into_iter().enumerate() {
        let answer = submit(&app, &ada, &n.to_string(), prefer).await;
        answer.expect(202);
        assert!(!answer.headers.contains_key("preference-applied"), "{prefer}");
    }
}
