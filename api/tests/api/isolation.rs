//! Another tenant's job and a job that never was are one answer, everywhere.

use std::time::{Duration, Instant};

use api::token::Role;
use jobs::JobId;

use crate::answer::Answer;
use crate::app::{Call, INVOICE, TestApp};

/// Every request that names a job.
const REQUESTS: [(&str, &str); 5] = [
    ("GET", "/v1/jobs/{id}"),
    ("GET", "/v1/jobs/{id}/result"),
    ("GET", "/v1/jobs/{id}/receipt"),
    ("POST", "/v1/jobs/{id}/cancel"),
    ("POST", "/v1/jobs/{id}/fhe-result"),
];

/// A body that is read before the job is looked for, where there is one.
fn asking(method: &str, path: &str, id: &str) -> Call {
    let call = Call::new(method, &path.replace("{id}", id));
    if !path.ends_with("/fhe-result") {
        return call;
    }
    let body = format!(r#"{{"clientSignature":"0x{}1b","retrievalNonce":"0x{}"}}"#, "5e".repeat(64), "9d".repeat(32));
    call.header("content-type", "application/json").body(body)
}

/// The bytes without what differs between any two requests, and the names of the headers.
fn comparable(answer: &Answer, id: &str) -> (u16, String, Vec<(String, String)>) {
    let mut text = String::from_utf8(answer.body.to_vec()).unwrap().replace(id, "ID");
    let document = answer.problem("JOB_NOT_FOUND");
    for member in ["request_id", "timestamp"] {
        text = text.replace(document[member].as_str().unwrap(), member);
    }
    // A time is told without the zeros at its end.
    let headers =
        answer.headers.iter().filter(|(name, _)| !["x-request-id", "content-length"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), text, headers.collect())
}

#[tokio::test]
async fn a_foreign_job_is_as_if_it_were_not() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    let (pending, completed) = (app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&completed).await;
    for (method, path) in REQUESTS {
        let unknown = JobId::generate().to_string();
        let ask = async |id: &str| app.send(asking(method, path, id).by(&eve)).await;
        let expected = comparable(&ask(&unknown).await, &unknown);
        for foreign in [&pending, &completed] {
            assert_eq!(comparable(&ask(foreign).await, foreign), expected, "{method} {path}");
        }
    }
    assert_eq!(app.job(&ada, &pending).await["status"], "PENDING", "the foreign cancel did nothing");
}

#[tokio::test]
async fn lists_and_usage_hold_the_tenants_own() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    let (ours, theirs) = (app.accepted(&ada).await, app.accepted(&eve).await);

    for (user, own, other) in [(&ada, &ours, &theirs), (&eve, &theirs, &ours)] {
        let list = app.get(user, "/v1/jobs").await.expect(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(list["data"][0]["job_id"], own.as_str());
        let usage = app.get(user, "/v1/usage").await.expect(200);
        assert_eq!(usage["totals"]["jobs_submitted"], 1);
        let foreign = app.get(user, &format!("/v1/usage?job_id={other}")).await.expect(200);
        assert_eq!(
            foreign,
            serde_json::json!({
                "from": null, "until": null, "billed_from": null, "billed_until": null, "totals": {}, "data": [],
                "groups": null, "groups_truncated": false, "next_cursor": null, "has_more": false
            })
        );
    }
    let by_address = format!("/v1/jobs?submitter=0x{}", hex::encode(ada.address));
    assert_eq!(app.get(&eve, &by_address).await.expect(200)["data"], serde_json::json!([]));
}

#[tokio::test]
async fn what_is_no_id_is_no_job() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let upper = id.to_uppercase();
    let bare = id.replace('-', "");
    let long = "9".repeat(5000);
    for id in [
        "0",
        "not-an-id",
        "%00",
        "..%2f..",
        "%27%20OR%201=1",
        &upper,
        &bare,
        &long,
        "00000000-0000-0000-0000-000000000000",
    ] {
        for (method, path) in REQUESTS {
            let call = asking(method, path, id).by(&ada);
            app.send(call).await.problem("JOB_NOT_FOUND");
        }
    }
    app.get(&ada, "/v1/jobs/%ff").await.problem("JOB_NOT_FOUND");
}

/// A stranger's cancel waits for nobody's lock, so that no time of it tells what there is.
#[tokio::test]
async fn a_foreign_job_is_not_locked() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let eve = app.user("globex", "eve", Role::Admin).await;
    let id = app.accepted(&ada).await;
    let mut held = store::begin(&app.pool).await.unwrap();
    sqlx::query("SELECT FROM jobs FOR UPDATE").execute(&mut *held).await.unwrap();
    for stranger in [&eve, &bob] {
        // Who waited would wait for this very transaction.
        app.post(stranger, &format!("/v1/jobs/{id}/cancel")).await.problem("JOB_NOT_FOUND");
    }
    held.rollback().await.unwrap();
    app.post(&ada, &format!("/v1/jobs/{id}/cancel")).await.expect(200);
}

/// Where looking asks others, what they have no more than what there is not is told before its time.
#[tokio::test]
async fn what_others_are_asked_about_takes_its_time_whether_it_is_there_or_not() {
    let unseen = Duration::from_millis(400);
    let app = TestApp::with_unseen(unseen).await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    let job = app.accepted(&ada).await;
    app.complete(&job).await;
    let (nobodys, retrieval) = (JobId::generate().to_string(), "/v1/jobs/{id}/fhe-result");
    let calls = [
        asking("POST", retrieval, &job),
        asking("POST", retrieval, &nobodys),
        Call::get(&format!("/v1/invoices/{INVOICE}")),
        Call::get(&format!("/v1/invoices/{nobodys}")),
        Call::get(&format!("/v1/invoices/{INVOICE}/lines/compute_units")),
    ];
    for call in calls {
        let begin = Instant::now();
        let answer = app.send(call.by(&eve)).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert!(begin.elapsed() >= unseen, "{answer:?}");
    }
}
