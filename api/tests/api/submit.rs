//! POST /v1/jobs, as it should go.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::{Call, PUBLIC_URL, TestApp, job};

#[tokio::test]
async fn the_printed_example_is_accepted() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let printed = r#"{"type":"compute","payload":{"algorithm":"prime_factorization","input":{"number":104729},"parameters":{"timeout":300}},"priority":"normal","useFHE":false}"#;
    let before = Utc::now();
    let answer = app.send(Call::submit(printed).by(&ada).key("0c6b1f4e-1")).await;

    let accepted = answer.expect(202);
    let id = accepted["job_id"].as_str().unwrap();
    let this = format!("{PUBLIC_URL}/v1/jobs/{id}");
    assert_eq!(answer.header("location"), this);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("idempotency-key"), "0c6b1f4e-1");
    assert!(!answer.headers.contains_key("idempotency-replayed"));
    assert!((1..=30).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    let time = |name: &str| accepted[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(accepted["created_at"].as_str().unwrap().ends_with('Z'));
    assert!((time("created_at") - before).num_seconds().abs() <= 2);
    assert!(time("estimated_completion") > time("created_at"));
    let expected = json!({
        "job_id": id, "status": "PENDING", "created_at": accepted["created_at"],
        "estimated_completion": accepted["estimated_completion"],
        "links": {
            "self": this, "events": format!("{this}/events"), "result": format!("{this}/result"),
            "receipt": format!("{this}/receipt"), "cancel": format!("{this}/cancel")
        }
    });
    assert_eq!(accepted, expected);
}

#[tokio::test]
async fn an_accepted_job_is_read_with_every_field() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let accepted = app.submit(&ada, &job(104_729)).await.expect(202);
    let id = accepted["job_id"].as_str().unwrap();

    let read = app.job(&ada, id).await;
    let printed = r#"{"payload":{"algorithm":"prime_factorization","input":{"number":104729},"parameters":{"timeout":300}},"priority":"normal","type":"compute","useFHE":false}"#;
    let expected = json!({
        "job_id": id, "type": "compute", "algorithm": "prime_factorization", "status": "PENDING",
        "priority": "normal", "submitter": format!("0x{}", hex::encode(ada.address)), "test_mode": false,
        "use_fhe": false, "content_hash": format!("0x{}", sha256(printed)), "created_at": accepted["created_at"],
        "updated_at": accepted["created_at"], "started_at": null, "completed_at": null, "deadline": null,
        "estimated_completion": accepted["estimated_completion"],
        "progress": {"percent": 0.0, "stage": "", "detail": ""}, "error": null, "result": null,
        "blockchain_confirmation": null, "usage": {"jobs_submitted": 1}, "billing": read["billing"],
        "links": accepted["links"]
    });
    assert_eq!(read, expected);
    let row = &read["billing"]["lines"][0]["rows"][0];
    assert_eq!((&row["id"], &row["state"]), (&json!(format!("{id}:jobs_submitted:0")), &json!("due")));
}

#[tokio::test]
async fn admission_writes_everything_or_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.submit_with_key(&ada, "first", &job(6)).await.expect(202);
    app.submit(&ada, &job(-1)).await.problem("JOB_VALIDATION_FAILED");

    for (table, rows) in [
        ("SELECT count(*) FROM jobs WHERE workflow_id = 'acme/first' AND status = 'PENDING'", 1),
        ("SELECT count(*) FROM job_starts WHERE workflow_id = 'acme/first'", 1),
        ("SELECT count(*) FROM job_reservations WHERE units = 2", 1),
        ("SELECT count(*) FROM usage_ledger WHERE metric = 'jobs_submitted' AND units = 1", 1),
        ("SELECT count(*) FROM idempotency_keys", 1),
        ("SELECT count(*) FROM job_events WHERE data->>'status' = 'PENDING' AND data->>'previous' IS NULL", 1),
    ] {
        assert_eq!(app.count(table).await, rows, "{table}");
    }
}

#[tokio::test]
async fn every_way_of_writing_it_is_taken() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let in_an_hour = (Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    let statistics = json!({"algorithm": "statistical_analysis", "input": {"values": [1, 2.5, -3e2]}});
    let matrices = json!({"algorithm": "matrix_multiplication", "input": {"a": [[1, 2]], "b": [[3], [4]]}});
    let bodies: [Value; 7] = [
        json!({"type": "compute", "payload": statistics}),
        json!({"type": "compute", "payload": matrices, "priority": "high", "use_fhe": false}),
        json!({"type": "compute", "payload": statistics, "priority": "low", "deadline": in_an_hour}),
        json!({"type": "compute", "payload": statistics, "deadline": null, "useFHE": null, "priority": null}),
        job("340282366920938463463374607431768211455"),
        job(1),
        job(1e5),
    ];
    for body in bodies {
        assert_eq!(app.submit(&ada, &body).await.status, 202, "{body}");
    }
    let big = r#"{"type":"compute","payload":{"algorithm":"prime_factorization","input":{"number":340282366920938463463374607431768211455}}}"#;
    assert_eq!(app.send(Call::submit(big).by(&ada)).await.status, 202);
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=\"UTF-8\""] {
        let call = Call::new("POST", "/v1/jobs").by(&ada).header("content-type", content_type);
        assert_eq!(app.send(call.body(job(6).to_string())).await.status, 202, "{content_type}");
    }
}

#[tokio::test]
async fn without_a_key_one_is_made_and_told() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = app.submit(&ada, &job(6)).await;
    let key = first.header("idempotency-key").to_owned();
    let again = app.submit_with_key(&ada, &key, &job(6)).await;
    assert_eq!(again.expect(202), first.expect(202));
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn the_job_remembers_the_request() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let call = Call::submit(job(6).to_string()).by(&ada).header("x-request-id", "trace-41");
    assert_eq!(app.send(call).await.header("x-request-id"), "trace-41");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE request_id = 'trace-41'").await, 1);
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}
