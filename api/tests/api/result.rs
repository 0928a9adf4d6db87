//! GET /v1/jobs/{id}/result

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jobs::ErrorCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{PUBLIC_URL, RESULT, TestApp};

#[tokio::test]
async fn it_is_the_bytes_that_were_hashed() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let path = format!("/v1/jobs/{id}/result");
    app.get(&ada, &path).await.problem("RESULT_NOT_READY");
    app.finish(&id).await;

    let answer = app.get(&ada, &path).await;
    assert_eq!(answer.status, 200, "from CONFIRMING on");
    assert_eq!(answer.body, RESULT.as_bytes());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let digest = Sha256::digest(RESULT);
    let hash = format!("0x{}", hex::encode(digest));
    assert_eq!(answer.header("x-result-hash"), hash);
    assert_eq!(answer.header("etag"), format!("\"{hash}\""));
    assert_eq!(answer.header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest)));

    let shown = json!({
        "hash": hash, "media_type": "application/json", "size": RESULT.len(), "url": format!("{PUBLIC_URL}{path}"),
        "value": {"number": "104729", "factors": [{"prime": "104729", "exponent": 1}]}
    });
    let job = app.job(&ada, &id).await;
    assert_eq!((&job["result"], &job["status"]), (&shown, &json!("CONFIRMING")));
    let batch = app.seal().await;
    app.confirm(batch).await;
    assert_eq!(app.get(&ada, &path).await.body, RESULT.as_bytes());
}

#[tokio::test]
async fn a_large_one_is_not_inline_and_another_type_is_told() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let value = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    for (size, inline) in [(65_536, true), (65_537, false)] {
        let id = app.accepted(&ada).await;
        app.finish_with(&id, value(size).as_bytes(), "application/json").await;
        let result = app.job(&ada, &id).await["result"].take();
        assert_eq!(result["size"], size);
        assert_eq!(result["value"] != Value::Null, inline, "{size}");
        assert_eq!(app.get(&ada, &format!("/v1/jobs/{id}/result")).await.body, value(size).as_bytes());
    }
    let id = app.accepted(&ada).await;
    app.finish_with(&id, &[0, 255, 1], "application/cbor").await;
    let answer = app.get(&ada, &format!("/v1/jobs/{id}/result")).await;
    assert_eq!((answer.header("content-type"), &answer.body[..]), ("application/cbor", &[0, 255, 1][..]));
    assert_eq!(app.job(&ada, &id).await["result"]["value"], Value::Null);
}

#[tokio::test]
async fn a_job_that_ended_without_one_says_why() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (code, detail) in [
        (ErrorCode::ComputeFailed, "The matrix has no inverse."),
        (ErrorCode::ComputeTimeout, "It took longer than 300 s."),
        (ErrorCode::DeadlineExceeded, "The deadline passed before there was a result."),
        (ErrorCode::WorkflowLost, "The job's workflow was lost 4 times."),
    ] {
        let id = app.accepted(&ada).await;
        app.begin(&id).await;
        app.fail(&id, code, detail).await;
        let error = json!({"code": code, "detail": detail, "type": format!("{PUBLIC_URL}/docs/errors/{code}")});
        let job = app.job(&ada, &id).await;
        assert_eq!((&job["status"], &job["error"]), (&json!("FAILED"), &error));
        for part in ["result", "receipt"] {
            let answer = app.get(&ada, &format!("/v1/jobs/{id}/{part}")).await;
            let problem = answer.problem(code.of_result().as_str());
            assert!(problem["detail"].as_str().unwrap().ends_with(detail), "{problem}");
        }
    }
}

#[tokio::test]
async fn until_there_is_one_the_client_is_told_to_come_back() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    for status in ["PENDING", "PROCESSING"] {
        if status == "PROCESSING" {
            app.begin(&id).await;
        }
        for part in ["result", "receipt"] {
            let answer = app.get(&ada, &format!("/v1/jobs/{id}/{part}")).await;
            let problem = answer.problem("RESULT_NOT_READY");
            assert!(problem["detail"].as_str().unwrap().contains(status), "{problem}");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
        }
    }
}

/// Each of the codes that a job may end with, as the document lists them.
#[tokio::test]
async fn whatever_a_job_failed_with_is_the_answer() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for code in jobs::error_code::ENDINGS {
        let id = app.accepted(&ada).await;
        app.fail(&id, *code, "It ended so.").await;
        for part in ["result", "receipt"] {
            let answer = app.get(&ada, &format!("/v1/jobs/{id}/{part}")).await;
            // A question that is answered is no failure of the service, whatever the job's was.
            assert!(answer.status.as_u16() < 500, "{code}");
            let detail = answer.problem(code.of_result().as_str())["detail"].as_str().unwrap().to_owned();
            let whole = format!("The job failed with {code}: It ended so.");
            assert!(detail == "It ended so." || (code.is_ours() && detail == whole), "{part}: {detail}");
        }
    }
}
