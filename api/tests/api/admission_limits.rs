//! Limits that admission takes from: active jobs by role, units of a month.

use api::token::Role;
use serde_json::json;
use store::limits::rules::Change;

use crate::app::{TestApp, job};

/// A job of 66 units: a prime of 128 bits.
const DEAR: &str = "340282366920938463463374607431768211297";

#[tokio::test]
async fn a_user_has_as_many_active_jobs_as_its_role_says() {
    let app = TestApp::new().await;
    let (ada, lead) = (app.developer("ada").await, app.user("acme", "lead", Role::TeamLead).await);
    app.plan("fast").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.accepted(&ada).await);
    }
    let refused = app.submit_with_key(&ada, "k", &job(6)).await;
    let problem = refused.problem("TOO_MANY_ACTIVE_JOBS");
    assert_eq!(problem["detail"], "3 jobs are active; a user with the role developer may have 3.");
    assert_eq!(refused.header("retry-after"), "5");
    app.accepted(&lead).await;

    // One that computes counts, one that waits for the chain does not, nor does one that has ended.
    app.begin(&ids[0]).await;
    app.submit_with_key(&ada, "k", &job(6)).await.problem("TOO_MANY_ACTIVE_JOBS");
    app.finish(&ids[1]).await;
    assert_eq!(app.submit_with_key(&ada, "k", &job(6)).await.status, 202, "the key was not used up");
    app.submit(&ada, &job(6)).await.problem("TOO_MANY_ACTIVE_JOBS");
    app.post(&ada, &format!("/v1/jobs/{}/cancel", ids[2])).await.expect(200);
    assert_eq!(app.submit(&ada, &job(6)).await.status, 202);
    // A repeat of what was accepted takes no place.
    assert_eq!(app.submit_with_key(&ada, "k", &job(6)).await.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn jobs_that_wait_for_the_chain_have_a_limit_of_their_own() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("fast").await;
    for _ in 0..4 {
        let id = app.accepted(&ada).await;
        app.finish(&id).await;
    }
    let refused = app.submit(&ada, &job(6)).await;
    let problem = refused.problem("TOO_MANY_ACTIVE_JOBS");
    assert_eq!(problem["detail"], "4 jobs of the tenant wait for the chain; it may have 4.");
    let batch = app.seal().await;
    app.confirm(batch).await;
    assert_eq!(app.submit(&ada, &job(6)).await.status, 202);
}

#[tokio::test]
async fn a_month_has_a_package_that_warns_and_a_ceiling_that_refuses() {
    let app = TestApp::new().await;
    let admin = app.user("acme", "admin", Role::Admin).await;
    app.plan("fast").await;
    // Two units each, of ten in the package and twenty in all.
    for used in (2..=20).step_by(2) {
        let answer = app.submit(&admin, &job(104_729)).await;
        answer.expect(202);
        let told = answer.headers.get("x-quota-warning").map(|told| told.to_str().unwrap().to_owned());
        // From all of the package on: when a notification tells of it, too.
        assert_eq!(told, (used >= 10).then(|| format!("compute_units;used={used};package=10;ceiling=20")));
        let notifications = app.get(&admin, "/v1/notifications").await.expect(200);
        let mut lines = notifications["data"].as_array().unwrap().iter().map(|line| &line["data"]);
        let is_notified = lines.any(|line| line["quota"] == "package" && line["percent"] == 100);
        assert_eq!(is_notified, told.is_some(), "{notifications:#}");
    }
    let refused = app.submit(&admin, &job(104_729)).await;
    let problem = refused.problem("QUOTA_EXCEEDED");
    assert_eq!(problem["detail"], "The job may cost 2 compute units; 0 are left under the ceiling of this month.");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    let then = chrono::Utc::now() + chrono::TimeDelta::seconds(wait);
    assert_eq!(chrono::Datelike::day(&then), 1, "the next month begins then");
}

#[tokio::test]
async fn what_a_job_did_not_use_of_its_reservation_comes_back() {
    let app = TestApp::new().await;
    let admin = app.user("acme", "admin", Role::Admin).await;
    app.plan("fast").await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(app.accepted(&admin).await);
    }
    app.submit(&admin, &job(6)).await.problem("QUOTA_EXCEEDED");
    // One is cancelled before it began, one fails by our fault; one costs what was reserved.
    app.post(&admin, &format!("/v1/jobs/{}/cancel", ids[0])).await.expect(200);
    app.begin(&ids[1]).await;
    app.fail(&ids[1], jobs::ErrorCode::InternalError, "").await;
    app.complete(&ids[2]).await;
    for _ in 0..2 {
        assert_eq!(app.submit(&admin, &job(104_729)).await.status, 202);
    }
    app.submit(&admin, &job(6)).await.problem("QUOTA_EXCEEDED");
}

#[tokio::test]
async fn a_tenant_may_set_itself_a_lower_ceiling_and_no_higher_one() {
    let app = TestApp::new().await;
    let admin = app.user("acme", "admin", Role::Admin).await;
    app.plan("fast").await;
    app.accepted(&admin).await;
    let ceiling = |units| Change { compute_ceiling: Some(Some(units)), ..Change::default() };
    app.rules(ceiling(3)).await;
    app.submit(&admin, &job(104_729)).await.problem("QUOTA_EXCEEDED");
    app.rules(ceiling(1000)).await;
    app.submit(&admin, &job(DEAR)).await.problem("QUOTA_EXCEEDED");
    for _ in 0..9 {
        assert_eq!(app.submit(&admin, &job(104_729)).await.status, 202);
    }
    app.submit(&admin, &job(104_729)).await.problem("QUOTA_EXCEEDED");
}

#[tokio::test]
async fn what_was_admitted_before_there_was_a_quota_counts() {
    let app = TestApp::new().await;
    let admin = app.user("acme", "admin", Role::Admin).await;
    let mut ids = Vec::new();
    for _ in 0..9 {
        ids.push(app.accepted(&admin).await);
    }
    for id in &ids[..4] {
        app.complete(id).await;
    }
    app.plan("fast").await;
    assert_eq!(app.submit(&admin, &job(104_729)).await.status, 202);
    app.submit(&admin, &job(104_729)).await.problem("QUOTA_EXCEEDED");
}

#[tokio::test]
async fn a_plan_without_limits_takes_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for _ in 0..12 {
        app.accepted(&ada).await;
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE active_slot IS NOT NULL").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM unit_shards").await, 0);
}

#[tokio::test]
async fn a_caller_sees_its_limits_and_what_is_taken_of_them() {
    let app = TestApp::new().await;
    let (ada, admin) = (app.developer("ada").await, app.user("acme", "admin", Role::Admin).await);
    let none = app.get(&ada, "/v1/limits").await.expect(200);
    assert_eq!(none["plan"], "development");
    assert_eq!((&none["requests"], &none["active_jobs"]["limit"]), (&json!([]), &json!(null)));
    assert_eq!(none["compute_units"], json!({"held": null, "package": null, "ceiling": null, "reached": []}));
    assert_eq!(none["requires_credits"], false);

    app.plan("default").await;
    app.accepted(&ada).await;
    let limits = app.get(&ada, "/v1/limits").await.expect(200);
    assert_eq!(limits["active_jobs"], json!({"limit": 3, "active": 1}));
    assert_eq!(limits["compute_units"], json!({"held": 2, "package": 10, "ceiling": 20, "reached": []}));
    let fhe = json!({"held": 0, "package": 1000, "ceiling": 2000, "reached": []});
    assert_eq!(limits["fhe_compute_units"], fhe);
    assert_eq!(limits["confirming_jobs"], 4);
    let minute = json!({"name": "minute", "requests": 60, "window_seconds": 60, "burst": 4});
    assert_eq!(limits["requests"][0], minute);
    let unlimited = app.get(&admin, "/v1/limits").await.expect(200);
    assert_eq!(unlimited["active_jobs"], json!({"limit": null, "active": null}));
}
