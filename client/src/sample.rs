//! A job for tests.

use jobs::wire::Job;
use serde_json::json;

/// A job of the wire format in `status`.
pub(crate) fn job(status: &str) -> Job {
    let completed = status == "COMPLETED";
    let id = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";
    let result = json!({
        "hash": format!("0x{}", "11".repeat(32)), "media_type": "application/json", "size": 19, "url": "/result",
        "value": { "number": "104729" }
    });
    let confirmation = json!({
        "chain_id": 31337, "registry": "0x5fbdb2315678afecb367f032d93f642f64180aa3", "index": 7,
        "merkle_root": format!("0x{}", "22".repeat(32)), "tx_hash": format!("0x{}", "33".repeat(32)),
        "block_number": 12, "block_hash": format!("0x{}", "44".repeat(32)),
        "confirmed_at": "2026-03-14T09:26:54Z", "finalized": false
    });
    let error = json!({
        "code": "COMPUTE_TIMEOUT", "detail": "took more than 1 s", "type": "http://127.0.0.1/docs/errors/COMPUTE_TIMEOUT"
    });
    let job = json!({
        "job_id": id, "type": "compute", "algorithm": "prime_factorization", "status": status, "priority": "normal",
        "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", "test_mode": false, "use_fhe": false,
        "content_hash": format!("0x{}", "55".repeat(32)),
        "created_at": "2026-03-14T09:26:50Z", "updated_at": "2026-03-14T09:26:54Z",
        "started_at": "2026-03-14T09:26:51Z",
        "completed_at": if completed { json!("2026-03-14T09:26:54.500Z") } else { json!(null) },
        "deadline": null, "estimated_completion": null,
        "progress": { "percent": 40.0, "stage": "elliptic curves", "detail": "curve 17" },
        "error": if status == "FAILED" { error } else { json!(null) },
        "result": if completed { result } else { json!(null) },
        "blockchain_confirmation": if completed { confirmation } else { json!(null) },
        "usage": if completed { json!({ "compute_units": 2, "jobs_submitted": 1 }) } else { json!({}) },
        "links": { "self": "/s", "events": "/e", "result": "/r", "receipt": "/c", "cancel": "/x" }
    });
    serde_json::from_value(job).expect("the wire format")
}
