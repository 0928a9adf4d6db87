//! GET /v1/jobs/{id}/receipt

use jobs::ErrorCode;
use jobs::leaf::LeafStatus;
use jobs::receipt::Receipt;
use sha2::{Digest as _, Sha256};

use crate::app::{Call, RESULT, TestApp};

#[tokio::test]
async fn it_leads_from_the_result_to_the_root() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut batch_of_three = Vec::new();
    for _ in 0..3 {
        let id = app.accepted(&ada).await;
        app.finish(&id).await;
        batch_of_three.push(id);
    }
    let batch = app.seal().await;
    for id in &batch_of_three {
        app.get(&ada, &format!("/v1/jobs/{id}/receipt")).await.problem("RESULT_NOT_READY");
    }
    app.confirm(batch).await;

    let root = app.job(&ada, &batch_of_three[0]).await["blockchain_confirmation"]["merkle_root"].take();
    for id in &batch_of_three {
        let document = app.get(&ada, &format!("/v1/jobs/{id}/receipt")).await.expect(200);
        let job = app.job(&ada, id).await;
        assert_eq!(document["root"], root);
        for (of_receipt, of_job) in [
            ("chain_id", "chain_id"),
            ("registry", "registry"),
            ("tx_hash", "tx_hash"),
            ("block_number", "block_number"),
        ] {
            assert_eq!(document[of_receipt], job["blockchain_confirmation"][of_job], "{of_receipt}");
        }
        assert_eq!(document["input_hash"], job["content_hash"]);
        let receipt: Receipt = serde_json::from_value(document).unwrap();
        assert_eq!(receipt.leaf.result_hash.0, <[u8; 32]>::from(Sha256::digest(RESULT)));
        assert_eq!(receipt.leaf.hash(), receipt.leaf_hash);
        assert_eq!(receipt.leaf.job_id.0, id.parse::<jobs::JobId>().unwrap().to_word());
        assert_eq!(receipt.leaf.submitter.0, ada.address);
        assert_eq!(receipt.entries.len(), 1, "three neighbouring indices share a word");
    }
}

#[tokio::test]
async fn a_failed_job_has_one_where_the_tenant_wants_it() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let without = app.accepted(&ada).await;
    app.fail(&without, ErrorCode::ComputeFailed, "The matrix has no inverse.").await;
    app.confirms_failed_jobs().await;
    let id = app.accepted(&ada).await;
    app.begin(&id).await;
    app.fail(&id, ErrorCode::ComputeFailed, "The matrix has no inverse.").await;

    let of = |part: &str| format!("/v1/jobs/{id}/{part}");
    let waits = app.get(&ada, &of("receipt")).await.problem("RESULT_NOT_READY");
    assert!(waits["detail"].as_str().unwrap().contains("FAILED"), "{waits}");
    app.get(&ada, &of("result")).await.problem("COMPUTE_FAILED");
    let before = app.job(&ada, &id).await;
    let batch = app.seal().await;
    app.confirm(batch).await;

    let document = app.get(&ada, &of("receipt")).await.expect(200);
    let job = app.job(&ada, &id).await;
    assert_eq!((&job["status"], &job["error"]), (&before["status"], &before["error"]), "it failed, and stays so");
    assert_eq!(job["blockchain_confirmation"]["merkle_root"], document["root"]);
    assert_eq!(job["usage"], before["usage"], "its confirmation costs nothing");
    assert_eq!(document["input_hash"], job["content_hash"]);
    let receipt: Receipt = serde_json::from_value(document).unwrap();
    assert_eq!(receipt.leaf.status, LeafStatus::Failed);
    assert!(receipt.leaf.result_hash.is_zero());
    assert_eq!((receipt.leaf.hash(), receipt.root), (receipt.leaf_hash, receipt.leaf_hash), "alone in its batch");
    app.get(&ada, &of("result")).await.problem("COMPUTE_FAILED");
    app.get(&ada, &format!("/v1/jobs/{without}/receipt")).await.problem("COMPUTE_FAILED");
}

/// Somebody wrote to the database: sent again, the request fails again, so it is answered at once and operators are told.
#[tokio::test]
async fn a_damaged_batch_is_told_at_once() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let path = format!("/v1/jobs/{id}/receipt");
    app.get(&ada, &path).await.expect(200);
    for (what, damage) in [
        ("batch", "UPDATE confirmations SET leaf_index = leaf_index + 7"),
        ("batch", "UPDATE batches SET root = sha256(root)"),
        ("block hash", "UPDATE batches SET block_hash = '\\x5b5b'"),
    ] {
        let before = damaged(&app, what).await;
        app.execute(damage).await;
        let answer = app.get(&ada, &path).await;
        answer.problem("DATA_DAMAGED");
        assert!(!answer.headers.contains_key("retry-after"), "{damage}: nothing mends it by itself");
        assert!(damaged(&app, what).await > before, "{damage}: the metric tells");
    }
    app.get(&ada, &format!("/v1/jobs/{id}")).await.problem("DATA_DAMAGED");
}

/// How often the metric has told of damaged data of this kind.
async fn damaged(app: &TestApp, what: &str) -> u64 {
    let text = String::from_utf8(app.send(Call::get("/metrics")).await.body.to_vec()).unwrap();
    let line = format!("zama_damaged_data_total{{what=\"{what}\"}} ");
    text.lines().find_map(|told| told.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
}
