//! What a tenant is told of its month.

use api::token::Role;
use serde_json::{Value, json};

use crate::app::{TestApp, job};

#[tokio::test]
async fn a_tenant_is_told_once_of_each_line_that_it_crosses() {
    let app = TestApp::new().await;
    let (amy, eve) = (app.user("acme", "amy", Role::Admin).await, app.user("globex", "eve", Role::Admin).await);
    app.plan("fast").await;
    let list = async || app.get(&amy, "/v1/notifications").await.expect(200);
    assert_eq!(list().await, json!({"data": [], "next_cursor": null, "has_more": false}));
    // Two units each, of ten in the package and twenty in all.
    for number in 1..=12 {
        let answer = app.submit(&amy, &job(104_729)).await;
        assert_eq!(answer.status, if number <= 10 { 202 } else { 429 });
        let lines = [8, 10, 16, 20].iter().filter(|line| 2 * number >= **line).count();
        assert_eq!(list().await["data"].as_array().unwrap().len(), lines, "after {number} jobs");
    }
    let told = list().await;
    let told: Vec<&Value> = told["data"].as_array().unwrap().iter().map(|notification| &notification["data"]).collect();
    let month = chrono::Utc::now().format("%Y-%m").to_string();
    let line = |quota: &str, percent: u8, quota_units: u64, held_units: u64| {
        json!({
            "month": month, "metric": "compute_units", "quota": quota, "percent": percent, "quota_units": quota_units,
            "held_units": held_units
        })
    };
    let expected = [
        line("ceiling", 100, 20, 20),
        line("ceiling", 80, 20, 16),
        line("package", 100, 10, 10),
        line("package", 80, 10, 8),
    ];
    assert_eq!(told, expected.iter().collect::<Vec<_>>(), "the newest first");
    let limits = app.get(&amy, "/v1/limits").await.expect(200);
    let reached = limits["compute_units"]["reached"].as_array().unwrap();
    let parts: Vec<_> =
        reached.iter().map(|part| (part["quota"].as_str().unwrap(), part["percent"].as_i64().unwrap())).collect();
    assert_eq!(parts, [("package", 80), ("package", 100), ("ceiling", 80), ("ceiling", 100)]);
    assert_eq!(limits["fhe_compute_units"]["reached"], json!([]));
    assert_eq!(app.get(&eve, "/v1/notifications").await.expect(200)["data"], json!([]));

    // What comes back and is taken again is no news.
    let job_id = app.get(&amy, "/v1/jobs").await.expect(200)["data"][0]["job_id"].as_str().unwrap().to_owned();
    app.post(&amy, &format!("/v1/jobs/{job_id}/cancel")).await.expect(200);
    assert_eq!(app.submit(&amy, &job(104_729)).await.status, 202);
    assert_eq!(list().await["data"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn its_pages_hold_each_once_and_its_query_is_read_strictly() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    app.plan("fast").await;
    for _ in 0..10 {
        app.accepted(&amy).await;
    }
    let whole = app.get(&amy, "/v1/notifications").await.expect(200);
    let (mut read, mut cursor) = (Vec::new(), String::new());
    while read.len() < 4 {
        let page = app.get(&amy, &format!("/v1/notifications?limit=3{cursor}")).await.expect(200);
        read.extend(page["data"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!((json!(read), cursor.as_str()), (whole["data"].clone(), "&cursor="));
    for (query, pointer) in [("limit=0", "/limit"), ("cursor=x", "/cursor"), ("month=2026-03", "/month")] {
        let answer = app.get(&amy, &format!("/v1/notifications?{query}")).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), [pointer]);
    }
}
