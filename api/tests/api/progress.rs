//! `progress` of a job, from its first step to its last.

use jobs::ErrorCode;
use jobs::wire::Progress;
use serde_json::{Value, json};

use crate::app::{TestApp, User};

async fn computes(app: &TestApp, id: &str) {
    app.begin(id).await;
    let (stage, detail) = ("elliptic curves".to_owned(), "curve 17".to_owned());
    let progress = Progress { percent: 40.0, stage, detail };
    store::compute::progress(&app.pool, id.parse().unwrap(), &progress).await.unwrap();
}

async fn progress(app: &TestApp, user: &User, id: &str) -> Value {
    app.job(user, id).await["progress"].clone()
}

#[tokio::test]
async fn a_job_past_its_computation_tells_nothing_of_it_any_more() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    computes(&app, &id).await;
    assert_eq!(
        progress(&app, &ada, &id).await,
        json!({"percent": 40.0, "stage": "elliptic curves", "detail": "curve 17"})
    );
    app.finish(&id).await;
    assert_eq!(
        progress(&app, &ada, &id).await,
        json!({"percent": 100.0, "stage": "confirming on chain", "detail": ""})
    );
    let batch = app.seal().await;
    app.confirm(batch).await;
    assert_eq!(progress(&app, &ada, &id).await, json!({"percent": 100.0, "stage": "done", "detail": ""}));
}

#[tokio::test]
async fn a_job_that_failed_tells_where() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    computes(&app, &id).await;
    let before = progress(&app, &ada, &id).await;
    app.fail(&id, ErrorCode::ComputeTimeout, "It took too long.").await;
    assert_eq!(progress(&app, &ada, &id).await, before);
}
