//! The body of a submission as the OpenAPI document shows it, and the document's examples.
//! What is accepted is decided by [`jobs::submission::read`] alone.

use chrono::{DateTime, Utc};
use jobs::algorithm::Algorithm;
use jobs::fhe::program::ValueType;
use jobs::fhe::{FheAlgorithm, KeyMode};
use jobs::submission::{JobType, Priority};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A job to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct NewJob {
    #[serde(rename = "type")]
    job_type: JobType,
    payload: Payload,
    #[schema(default = "normal")]
    priority: Option<Priority>,
    /// Says again what `type` says; `useFHE` is another name of it.
    use_fhe: Option<bool>,
    /// The job fails if it has no result by then; at most 30 days ahead.
    deadline: Option<DateTime<Utc>>,
    /// A quote (`POST /v1/jobs/quote`) for the rest of this body: the job costs no more than it says. It is used once.
    quote_id: Option<uuid::Uuid>,
}

/// What to compute, on plain inputs or on ciphertexts as the job's type says.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub enum Payload {
    Plain(PlainPayload),
    Encrypted(Box<EncryptedPayload>),
}

/// What to compute on plain inputs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct PlainPayload {
    algorithm: Algorithm,
    input: Input,
    parameters: Option<Parameters>,
}

/// What to compute on ciphertexts. The schema of each algorithm stands in `docs/algorithms`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct EncryptedPayload {
    algorithm: FheAlgorithm,
    /// Where the inputs are: a blob of this service, as URL or as path, or an https URL that is fetched once.
    #[schema(max_length = 2048)]
    encrypted_data_url: String,
    /// P-256 key that the result is sealed to, as PEM of its SPKI, unless the retrieval names another one.
    client_public_key: Option<String>,
    key: Option<KeyReference>,
    /// With the algorithm's own parameters.
    parameters: Option<EncryptedParameters>,
}

/// The key that the inputs are encrypted under.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct KeyReference {
    #[schema(default = "network")]
    mode: Option<KeyMode>,
    /// Required in client mode; in network mode the current key is meant when it is absent.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    key_id: Option<String>,
}

/// How to compute on ciphertexts. Which of the members an algorithm takes stands in its schema.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct EncryptedParameters {
    /// Seconds of computing after which the job fails.
    #[schema(minimum = 1, maximum = 3600, default = 900)]
    timeout: Option<u32>,
    /// Always `tfhe`.
    #[schema(default = "tfhe")]
    fhe_scheme: Option<String>,
    /// Always 128 bits.
    #[schema(default = 128, minimum = 128, maximum = 128)]
    security_level: Option<u32>,
    /// Type of the inputs: with `count` it makes the price exact before the job runs.
    value_type: Option<ValueType>,
    /// How many inputs there are.
    #[schema(minimum = 1, maximum = 512)]
    count: Option<u32>,
    /// Of `encrypted_statistical_analysis`: any of count, sum, mean, min, max, variance.
    statistics: Option<Vec<String>>,
    /// Of `encrypted_linear_score`, one for each input.
    #[schema(max_items = 256)]
    weights: Option<Vec<i32>>,
    /// Of `encrypted_linear_score`.
    bias: Option<i32>,
    /// Of `encrypted_linear_score`.
    threshold: Option<i32>,
    /// Of `encrypted_set_membership`: a set that everybody may read.
    #[schema(max_items = 512)]
    set: Option<Vec<IntegerOrDecimal>>,
    /// Of `encrypted_set_membership`: `true` when the set is the inputs after the first.
    encrypted_set: Option<bool>,
    /// Of `program`: `{inputs, steps, outputs}`.
    #[schema(value_type = Option<Object>)]
    program: Option<Value>,
}

/// What to compute on: the input of the algorithm that the payload names.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub enum Input {
    PrimeFactorization(PrimeFactorizationInput),
    StatisticalAnalysis(StatisticalAnalysisInput),
    MatrixMultiplication(MatrixMultiplicationInput),
}

/// Input of `prime_factorization`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct PrimeFactorizationInput {
    /// 1 to 2^128 - 1.
    number: IntegerOrDecimal,
}

/// An integer; beyond 2^53 - 1 it is safer as a decimal string.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub enum IntegerOrDecimal {
    Integer(u64),
    Decimal(String),
}

/// Input of `statistical_analysis`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct StatisticalAnalysisInput {
    #[schema(min_items = 1, max_items = 65536)]
    values: Vec<f64>,
}

/// Input of `matrix_multiplication`: two matrices up to 512 by 512, each an array of rows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct MatrixMultiplicationInput {
    #[schema(min_items = 1, max_items = 512)]
    a: Vec<Vec<f64>>,
    /// As many rows as `a` has columns.
    #[schema(min_items = 1, max_items = 512)]
    b: Vec<Vec<f64>>,
}

/// How to compute.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct Parameters {
    /// Seconds of computing after which the job fails.
    #[schema(minimum = 1, maximum = 3600, default = 300)]
    timeout: Option<u32>,
}

const ID: &str = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";

pub fn submission_example() -> Value {
    json!({
        "type": "compute",
        "payload": {
            "algorithm": "prime_factorization",
            "input": {"number": 104_729},
            "parameters": {"timeout": 300}
        },
        "priority": "normal",
        "use_fhe": false
    })
}

pub fn encrypted_submission_example() -> Value {
    json!({
        "type": "fhe_compute",
        "payload": {
            "algorithm": "encrypted_statistical_analysis",
            "encrypted_data_url": format!("/v1/blobs/0x{}", "3c".repeat(32)),
            "key": {"mode": "network"},
            "parameters": {"fhe_scheme": "tfhe", "security_level": 128, "value_type": "u16", "count": 16}
        },
        "priority": "normal",
        "use_fhe": true
    })
}

fn links() -> Value {
    let this = format!("https://api.example.com/v1/jobs/{ID}");
    json!({
        "self": this, "events": format!("{this}/events"), "result": format!("{this}/result"),
        "receipt": format!("{this}/receipt"), "cancel": format!("{this}/cancel")
    })
}

pub fn accepted_example() -> Value {
    json!({
        "job_id": ID,
        "status": "PENDING",
        "created_at": "2026-03-14T09:26:53.589Z",
        "estimated_completion": "2026-03-14T09:26:58.589Z",
        "links": links()
    })
}

pub fn job_example() -> Value {
    json!({
        "job_id": ID,
        "type": "compute",
        "algorithm": "prime_factorization",
        "status": "COMPLETED",
        "priority": "normal",
        "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "test_mode": false,
        "use_fhe": false,
        "content_hash": format!("0x{}", "2e".repeat(32)),
        "created_at": "2026-03-14T09:26:53.589Z",
        "updated_at": "2026-03-14T09:26:57.204Z",
        "started_at": "2026-03-14T09:26:53.871Z",
        "completed_at": "2026-03-14T09:26:57.204Z",
        "deadline": null,
        "estimated_completion": "2026-03-14T09:26:58.589Z",
        "progress": {"percent": 100.0, "stage": jobs::wire::Progress::DONE, "detail": ""},
        "error": null,
        "result": {
            "hash": format!("0x{}", "1f".repeat(32)),
            "media_type": "application/json",
            "size": 62,
            "url": format!("https://api.example.com/v1/jobs/{ID}/result"),
            "value": {"number": "104729", "factors": [{"prime": "104729", "exponent": 1}]}
        },
        "blockchain_confirmation": {
            "chain_id": 31337,
            "registry": format!("0x{}", "5f".repeat(20)),
            "index": 41,
            "merkle_root": format!("0x{}", "6a".repeat(32)),
            "tx_hash": format!("0x{}", "4c".repeat(32)),
            "block_number": 1207,
            "block_hash": format!("0x{}", "5b".repeat(32)),
            "confirmed_at": "2026-03-14T09:26:57.204Z",
            "finalized": false
        },
        "usage": {"chain_confirmations": 1, "compute_units": 2, "jobs_completed": 1, "jobs_submitted": 1},
        "billing": null,
        "links": links()
    })
}

/// The job as it is read alone.
pub fn billed_job_example() -> Value {
    let line = |metric: &str, units: i64, cost: (&str, &str)| {
        json!({
            "metric": metric, "units": units, "cost": {"at_least": cost.0, "at_most": cost.1},
            "rows": [{
                "id": format!("{ID}:{metric}:0"), "segment": "0", "units": units,
                "gas": (metric == "chain_confirmations").then_some(672),
                "occurred_at": "2026-03-14T09:26:57.204Z", "billed_at": "2026-03-14T09:26:57.204Z",
                "month": "2026-03", "state": "delivered", "reason": null
            }]
        })
    };
    let mut example = job_example();
    example["billing"] = json!({
        "lines": [
            line("chain_confirmations", 1, ("0.0007", "0.0015")),
            line("compute_units", 2, ("0.00008", "0.00016")),
            line("jobs_completed", 1, ("0.0005", "0.001")),
            line("jobs_submitted", 1, ("0", "0"))
        ],
        "cost": {
            "plan": "team", "currency": "EUR", "at_least": "0.00128", "at_most": "0.00266", "is_exact": false
        }
    });
    example
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_what_the_code_reads_and_writes() {
        for example in [submission_example(), encrypted_submission_example()] {
            assert!(jobs::submission::read(&example, Utc::now(), "https://api.example.com").is_ok());
            assert!(serde_json::from_value::<NewJob>(example).is_ok());
        }
        assert!(serde_json::from_value::<jobs::wire::Accepted>(accepted_example()).is_ok());
        for example in [job_example(), billed_job_example()] {
            let job: jobs::wire::Job = serde_json::from_value(example.clone()).unwrap();
            assert_eq!(serde_json::to_value(&job).unwrap()["billing"], example["billing"]);
        }
    }

    #[test]
    fn the_shown_limits_are_those_that_are_enforced() {
        assert_eq!(jobs::algorithm::MAX_VALUES, 65_536);
        assert_eq!(jobs::algorithm::MAX_DIMENSION, 512);
        let encrypted = (jobs::fhe::DEFAULT_TIMEOUT_SECONDS, jobs::fhe::MAX_TIMEOUT_SECONDS, jobs::fhe::MAX_INPUTS);
        assert_eq!(encrypted, (900, 3600, 512));
        assert_eq!((jobs::fhe::MAX_BOOL_WEIGHTS, jobs::fhe::MAX_CLEAR_SET), (256, 512));
        assert_eq!((jobs::algorithm::DEFAULT_TIMEOUT_SECONDS, jobs::algorithm::MAX_TIMEOUT_SECONDS), (300, 3600));
    }
}
