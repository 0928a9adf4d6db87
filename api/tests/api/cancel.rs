//! POST /v1/jobs/{id}/cancel, in each state.

use jobs::ErrorCode;

use crate::app::{TestApp, job};

#[tokio::test]
async fn a_pending_job_ends_at_once_and_only_once() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let path = format!("/v1/jobs/{id}/cancel");
    let cancelled = app.post(&ada, &path).await.expect(200);
    assert_eq!(cancelled["status"], "CANCELLED");
    assert!(cancelled["completed_at"].is_string() && cancelled["error"].is_null());
    let mut read = app.job(&ada, &id).await;
    // What it is billed as is told where the job alone is read.
    read["billing"] = serde_json::Value::Null;
    assert_eq!(cancelled, read);

    assert_eq!(app.post(&ada, &path).await.expect(200), cancelled, "asking again changes nothing");
    assert_eq!(app.count("SELECT count(*) FROM job_events").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM job_reservations").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM usage_ledger WHERE metric = 'compute_units'").await, 0);
}

#[tokio::test]
async fn a_running_job_is_asked_to_stop() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.started(&id, "run-1").await;
    app.begin(&id).await;
    let path = format!("/v1/jobs/{id}/cancel");
    for _ in 0..2 {
        assert_eq!(app.post(&ada, &path).await.expect(200)["status"], "PROCESSING");
    }
    let unheard = store::cancel::unheard(&app.pool, None, 0.0, 10).await.unwrap();
    assert_eq!(unheard.len(), 1);
    assert_eq!(unheard[0].run.run_id, "run-1");
    assert_eq!(app.count("SELECT count(*) FROM job_events").await, 2, "the wish is no change of state");
}

#[tokio::test]
async fn a_result_that_comes_after_the_wish_is_dropped_but_billed() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.begin(&id).await;
    app.post(&ada, &format!("/v1/jobs/{id}/cancel")).await.expect(200);
    let computed = store::compute::Computed {
        bytes: b"{}",
        hash: [1; 32],
        media_type: "application/json",
        compute_units: 2,
        salt: [7; 32],
    };
    store::compute::finish(&app.pool, id.parse().unwrap(), &computed).await.unwrap();
    let job = app.job(&ada, &id).await;
    assert_eq!((&job["status"], &job["result"]), (&"CANCELLED".into(), &serde_json::Value::Null));
    assert_eq!(job["usage"]["compute_units"], 2);
    app.get(&ada, &format!("/v1/jobs/{id}/result")).await.problem("JOB_CANCELLED");
}

#[tokio::test]
async fn after_the_result_a_cancel_changes_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let (confirming, sealed, completed, failed) =
        (app.accepted(&ada).await, app.accepted(&ada).await, app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&completed).await;
    app.finish(&sealed).await;
    app.seal().await;
    app.finish(&confirming).await;
    app.fail(&failed, ErrorCode::ComputeFailed, "It has no result.").await;
    for (id, status) in
        [(confirming, "CONFIRMING"), (sealed, "CONFIRMING"), (completed, "COMPLETED"), (failed, "FAILED")]
    {
        let before = app.job(&ada, &id).await;
        let mut answer = app.post(&ada, &format!("/v1/jobs/{id}/cancel")).await.expect(200);
        assert_eq!((&answer["status"], &answer["billing"]), (&status.into(), &serde_json::Value::Null));
        answer["billing"] = before["billing"].clone();
        assert_eq!(answer, before);
        assert_eq!(app.job(&ada, &id).await, before);
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE cancel_requested_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_cancelled_job_keeps_its_key() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = app.submit_with_key(&ada, "k", &job(6)).await.expect(202);
    let id = first["job_id"].as_str().unwrap();
    app.post(&ada, &format!("/v1/jobs/{id}/cancel")).await.expect(200);
    assert_eq!(app.submit_with_key(&ada, "k", &job(6)).await.expect(202), first);
}
