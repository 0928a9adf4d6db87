//! GET /v1/usage

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn it_tells_what_a_job_costs() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let (done, open) = (app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&done).await;

    let totals = json!({"chain_confirmations": 1, "compute_units": 2, "jobs_completed": 1, "jobs_submitted": 1});
    let usage = app.get(&ada, &format!("/v1/usage?job_id={done}")).await.expect(200);
    assert_eq!(usage["totals"], totals);
    assert_eq!(app.job(&ada, &done).await["usage"], totals, "as the job says itself");
    for row in usage["data"].as_array().unwrap() {
        assert_eq!(row["job_id"], done.as_str());
        assert_eq!(row["id"], format!("{done}:{}:0", row["metric"].as_str().unwrap()));
        assert!(row["billed_at"].is_null() && row["delivered_at"].is_null());
    }
    let all = app.get(&ada, "/v1/usage").await.expect(200);
    assert_eq!(all["totals"]["jobs_submitted"], 2);
    let limited = app.get(&ada, "/v1/usage?limit=1").await.expect(200);
    assert_eq!((limited["data"].as_array().unwrap().len(), &limited["totals"]), (1, &all["totals"]));
    assert_eq!(
        app.get(&ada, &format!("/v1/usage?job_id={open}")).await.expect(200)["data"].as_array().unwrap().len(),
        1
    );
    let unknown = app.get(&ada, &format!("/v1/usage?job_id={}", jobs::JobId::generate())).await.expect(200);
    assert_eq!(unknown, json!({"totals": {}, "data": []}));
}

#[tokio::test]
async fn its_query_is_read_strictly() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (query, pointer) in
        [("job_id=7", "/job_id"), ("limit=0", "/limit"), ("limit=1001", "/limit"), ("month=5", "/month")]
    {
        let answer = app.get(&ada, &format!("/v1/usage?{query}")).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), [pointer]);
    }
}
