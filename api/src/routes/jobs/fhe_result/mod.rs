//! POST /v1/jobs/{id}/fhe-result

mod client_key;
mod grantee;
mod network;
mod request;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::Utc;
use jobs::fhe::{EncryptedRequest, KeyMode};
use jobs::submission::JobType;
use jobs::{ErrorCode, JobId, JobStatus, TenantId};
use retrieval::{Answer, Retrieval, Signature};
use serde_json::{Value, json};
use store::retrievals::RetrievableJob;

use super::unavailable;
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::body::StrictJson;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::policy::unseen::Look;
use crate::token::{Principal, Scope};
use request::{RetrievalBody, Wish};

errors!(Errors: Token, InvalidRequest, JobNotFound, BodyTimeout, ResultNotReady, JobCancelled, PayloadTooLarge,
    InvalidContentType, SignatureInvalid, SignatureExpired, AccessRevoked, AttestationInvalid, ResultUnverified,
    NonceReplayed, KeyMismatch; ENDINGS);

/// A request that can be answered: the job, and what its owner wants.
struct Asked {
    job_id: JobId,
    /// The job's, which need not be the caller's.
    tenant: TenantId,
    job: RetrievableJob,
    /// SHA-256 of the result.
    result_hash: [u8; 32],
    payload: EncryptedRequest,
    wish: Wish,
}

/// Fetch an encrypted job's result
///
/// Under the network key the result comes sealed (HPKE) to a P-256 key, the job's unless the request names another, and
/// the key manager has checked signature, chain and nonce by itself. Under a client's own key the ciphertexts come as
/// they are. The submitter signs `RetrieveResult(string jobId,bytes32 retrievalNonce,bytes32 publicKeyHash,uint256
/// deadline)` (EIP-712, domain `ZamaJobs`), or an address to which it granted access on chain, whose token may be of any
/// tenant and whose request names the key to seal to. A nonce is used once; the identical request gets the identical
/// answer for ten minutes.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/fhe-result", operation_id = "retrieve_fhe_result", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")),
    request_body(content = RetrievalBody, example = json!(request_example())),
    responses((status = 200, description = "The result.", body = Answer, example = json!(answer_example())), Errors)
)]
pub async fn fhe_result(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<Json<Answer>, Problem> {
    principal.require(Scope::JobsRead)?;
    let wish = request::read(&body?.0)?;
    trail.tell(json!({ "retrieval_nonce": wish.nonce }));
    let found = store::retrievals::find(&state.pool, principal.reader(), id).await?;
    let (tenant, job) = match found {
        Some(job) => (principal.tenant.clone(), job),
        None => {
            let look = Look::begin(state.unseen);
            let granted = Box::pin(grantee::admitted(&state, id, &wish)).await?;
            look.seen(granted).await.ok_or_else(|| not_found(id))?
        }
    };
    trail.concerns(&tenant);
    if job.job_type != JobType::FheCompute {
        let detail = "The job is not an encrypted one; its result is at /result.";
        return Err(Problem::new(ErrorCode::InvalidRequest, detail));
    }
    let (JobStatus::Completed, Some(result_hash)) = (job.status, job.result_hash) else {
        return Err(unavailable::problem("confirmed result", job.status, job.error));
    };
    let payload = payload_of(id, &job)?;
    let asked = Asked { job_id: id, tenant, job, result_hash, payload, wish };
    let answer = match asked.payload.key.mode {
        KeyMode::Client => client_key::answer(&state, &asked).await?,
        KeyMode::Network => Box::pin(network::answer(&state, &asked)).await?,
    };
    Ok(Json(answer))
}

fn payload_of(id: JobId, job: &RetrievableJob) -> Result<EncryptedRequest, Problem> {
    let payload = serde_json::from_str(&job.payload).ok();
    payload
        .and_then(|payload: Value| EncryptedRequest::parse_payload(&payload).ok())
        .ok_or_else(|| Problem::damaged("payload", format_args!("job {id} has another payload than was admitted")))
}

impl Asked {
    /// What the signature must be over.
    fn retrieval(&self, public_key_hash: alloy::primitives::B256) -> Retrieval {
        Retrieval { job_id: self.job_id, nonce: self.wish.nonce, public_key_hash, deadline: self.wish.deadline }
    }
}

/// The signature in the one form that is accepted.
fn signature(wish: &Wish) -> Result<Signature, Problem> {
    Signature::from_bytes(&wish.signature).map_err(|error| signature_invalid(&format!("The signature: {error}.")))
}

fn signature_invalid(detail: &str) -> Problem {
    Problem::new(ErrorCode::SignatureInvalid, detail)
}

fn check_deadline(wish: &Wish) -> Result<(), Problem> {
    let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
    match wish.deadline {
        Some(deadline) if deadline != 0 && deadline < now => {
            Err(Problem::new(ErrorCode::SignatureExpired, "The deadline that was signed has passed."))
        }
        _ => Ok(()),
    }
}

fn request_example() -> Value {
    json!({
        "client_signature": format!("0x{}1b", "5e".repeat(64)),
        "retrieval_nonce": format!("0x{}", "9d".repeat(32))
    })
}

fn answer_example() -> Value {
    json!({
        "job_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07",
        "mode": "sealed",
        "suite": retrieval::SUITE,
        "enc": "BA==", "ciphertext": "c2VhbGVk", "info": "emFtYS1qb2JzL3YxL3Jlc3VsdA==", "aad": "AZzrq4BOfEGbXj8qjWweBw==",
        "result_hash": format!("0x{}", "1f".repeat(32)),
        "kms_signature": "Xg=="
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_what_the_code_reads_and_writes() {
        assert!(request::read(&request_example()).is_ok());
        assert!(serde_json::from_value::<Answer>(answer_example()).is_ok());
    }
}
