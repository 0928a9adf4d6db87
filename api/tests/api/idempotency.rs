//! `Idempotency-Key`: however often a submission is sent, there is one job.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::json;

use crate::app::{Call, TestApp, job};

#[tokio::test]
async fn the_same_body_gets_the_same_answer_again() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = app.submit_with_key(&ada, "order-7", &job(15)).await;
    let id = first.expect(202)["job_id"].as_str().unwrap().to_owned();
    app.complete(&id).await;

    // Another order of members and other spaces are the same body.
    let same = r#"{ "useFHE": false, "priority": "normal", "payload": {"parameters": {"timeout": 300},
        "input": {"number": 15.0}, "algorithm": "prime_factorization"}, "type": "compute" }"#;
    for body in [job(15).to_string(), same.to_owned()] {
        let again = app.send(Call::submit(body).by(&ada).key("order-7")).await;
        assert_eq!(again.expect(202), first.expect(202), "the stored 202, whatever became of the job");
        assert_eq!(again.header("idempotency-replayed"), "true");
        for name in ["location", "idempotency-key", "retry-after"] {
            assert_eq!(again.header(name), first.header(name));
        }
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn a_replay_is_one_even_when_its_deadline_has_passed() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut body = job(15);
    body["deadline"] = json!((chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339());
    let first = app.submit_with_key(&ada, "order-7", &body).await.expect(202);
    // As if all of that had been two hours ago, the deadline included.
    body["deadline"] = json!((chrono::Utc::now() - chrono::Duration::hours(1)).to_rfc3339());
    let hash = jobs::canonical::content_hash(&body);
    let earlier = "UPDATE idempotency_keys SET content_hash = $1, created_at = created_at - interval '2 hours'";
    let moved = sqlx::query(earlier).bind(hash.to_vec()).execute(&app.pool).await.unwrap();
    assert_eq!(moved.rows_affected(), 1);
    let again = app.submit_with_key(&ada, "order-7", &body).await;
    assert_eq!(again.expect(202), first);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let late = app.submit_with_key(&ada, "order-8", &body).await.problem("JOB_VALIDATION_FAILED");
    assert_eq!(late["errors"][0]["pointer"], "/deadline");
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn another_body_is_refused_and_changes_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = app.submit_with_key(&ada, "order-7", &job(15)).await.expect(202);
    app.submit_with_key(&ada, "order-7", &job(21)).await.problem("IDEMPOTENCY_KEY_REUSED");
    let mut spelled_out = job(15);
    spelled_out["deadline"] = json!(null);
    app.submit_with_key(&ada, "order-7", &spelled_out).await.problem("IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.submit_with_key(&ada, "order-7", &job(15)).await.expect(202), first);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn a_refused_body_does_not_use_the_key_up() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.submit_with_key(&ada, "order-7", &job(-1)).await.problem("JOB_VALIDATION_FAILED");
    app.submit_with_key(&ada, "order-7", &job(15)).await.expect(202);
}

#[tokio::test]
async fn a_key_belongs_to_its_tenant() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let bob = app.developer("bob").await;
    let eve = app.user("globex", "eve", api::token::Role::Developer).await;
    let first = app.submit_with_key(&ada, "order-7", &job(15)).await.expect(202);
    assert_eq!(app.submit_with_key(&bob, "order-7", &job(15)).await.expect(202), first, "the tenant's, not the user's");
    let theirs = app.submit_with_key(&eve, "order-7", &job(21)).await.expect(202);
    assert_ne!(theirs["job_id"], first["job_id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_make_one_job() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let body = job(15);
    let answers = join_all((0..200).map(|_| app.submit_with_key(&ada, "order-7", &body))).await;

    let mut tally = BTreeMap::new();
    let mut ids = std::collections::BTreeSet::new();
    for answer in &answers {
        *tally.entry(answer.status.as_u16()).or_insert(0) += 1;
        match answer.status.as_u16() {
            202 => drop(ids.insert(answer.json()["job_id"].to_string())),
            _ => {
                answer.problem("REQUEST_IN_PROGRESS");
                assert_eq!(answer.header("retry-after"), "1");
            }
        }
    }
    assert!(tally.keys().all(|status| [202, 409].contains(status)), "{tally:?}");
    assert_eq!(ids.len(), 1, "{tally:?}");
    for table in ["SELECT count(*) FROM jobs", "SELECT count(*) FROM job_starts", "SELECT count(*) FROM usage_ledger"] {
        assert_eq!(app.count(table).await, 1, "{table}");
    }
    let new =
        answers.iter().filter(|answer| answer.status == 202 && !answer.headers.contains_key("idempotency-replayed"));
    assert_eq!(new.count(), 1);
}

#[tokio::test]
async fn a_day_later_the_key_makes_a_new_job_while_the_old_one_is_open() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = app.submit_with_key(&ada, "daily", &job(15)).await.expect(202);
    let a_day_passes = "UPDATE idempotency_keys SET created_at = created_at - interval '24 hours 1 second'";

    app.execute("UPDATE idempotency_keys SET created_at = created_at - interval '23 hours 59 minutes'").await;
    assert_eq!(app.submit_with_key(&ada, "daily", &job(15)).await.expect(202), first);
    app.execute(a_day_passes).await;
    let second = app.submit_with_key(&ada, "daily", &job(21)).await;
    assert!(!second.headers.contains_key("idempotency-replayed"));
    let second = second.expect(202);
    assert_ne!(second["job_id"], first["job_id"]);
    app.execute(a_day_passes).await;
    let third = app.submit_with_key(&ada, "daily", &job(15)).await.expect(202);
    assert_ne!(third["job_id"], first["job_id"]);

    let ids: Vec<String> =
        sqlx::query_scalar("SELECT workflow_id FROM jobs ORDER BY id").fetch_all(&app.pool).await.unwrap();
    let later = |job: &serde_json::Value| format!("acme/daily/{}", job["job_id"].as_str().unwrap());
    assert_eq!(ids, ["acme/daily".to_owned(), later(&second), later(&third)]);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE status = 'PENDING'").await, 3);
    assert_eq!(app.submit_with_key(&ada, "daily", &job(15)).await.expect(202), third, "the newest use answers");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let long = "k".repeat(256);
    for key in [&b""[..], b" ", b"two words", "schl\u{fc}ssel".as_bytes(), b"\xff", b"tab\there", long.as_bytes()] {
        let call = Call::submit(job(6).to_string()).by(&ada).header("idempotency-key", key);
        app.send(call).await.problem("INVALID_IDEMPOTENCY_KEY");
    }
    let twice = Call::submit(job(6).to_string()).by(&ada).key("a").key("b");
    app.send(twice).await.problem("INVALID_IDEMPOTENCY_KEY");
    for key in ["a", "/../%00'\";--", &"k".repeat(255)] {
        app.submit_with_key(&ada, key, &job(6)).await.expect(202);
    }
}
