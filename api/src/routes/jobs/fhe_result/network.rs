//! A result under the network key: the API gathers what the key manager wants to see, and decides nothing.

use alloy::primitives::{Address, B256};
use blobs::{BlobHash, MAX_BLOB_BYTES, SystemKey};
use jobs::{ErrorCode, FieldError, JobStatus};
use retrieval::{Answer, Attestation, PublicKey};

use super::super::{receipt, unavailable};
use super::{Asked, signature};
use crate::ApiState;
use crate::key_manager::Decryption;
use crate::policy::download;
use crate::policy::problem::Problem;
use crate::token::Principal;

pub(super) async fn answer(state: &ApiState, principal: &Principal, asked: &Asked) -> Result<Answer, Problem> {
    let Some(keys) = &state.network_keys else {
        return Err(Problem::new(ErrorCode::ServiceUnavailable, "There is no key manager here."));
    };
    let (pem, public_key_hash) = recipient(asked)?;
    // Read here for its form alone; whose it is, the key manager finds out.
    let retrieval_signature = signature(&asked.wish)?.to_bytes();

    let found = store::receipts::find(&state.pool, principal.reader(), asked.job_id).await?;
    let parts = found.and_then(|found| found.parts);
    let parts = parts.ok_or_else(|| unavailable::problem("confirmed result", JobStatus::Confirming, None))?;
    let (leaf, inclusion) = receipt::included(asked.job_id, &parts).ok_or_else(|| corrupt(asked, "batch"))?;
    let lineage = parts.handle.ok_or_else(|| corrupt(asked, "attestation"))?;

    let key = SystemKey::result(asked.job_id, BlobHash(asked.result_hash));
    let result = state.blobs.get_system_verified(&key, BlobHash(asked.result_hash), MAX_BLOB_BYTES).await;
    let result = result.map_err(|error| download::missing("result", &error))?;
    let asked = Decryption {
        result,
        leaf: leaf.leaf(),
        inclusion,
        attestation: Attestation {
            job_id: asked.job_id,
            tenant: principal.tenant.clone(),
            submitter: Address::from(asked.job.submitter),
            inputs_hash: lineage.inputs_hash.into(),
            program_hash: lineage.program_hash.into(),
            key_id: lineage.key_id.into(),
            result_hash: asked.result_hash.into(),
        },
        attestation_signature: lineage.attestation,
        retrieval: asked.retrieval(public_key_hash),
        retrieval_signature,
        client_public_key: pem,
    };
    Ok(keys.manager().decrypt(asked).await?)
}

/// The key to seal to: the request's, else the job's.
fn recipient(asked: &Asked) -> Result<(String, B256), Problem> {
    let given = asked.wish.client_public_key.as_deref();
    let refused = |reason: String| {
        let errors = vec![FieldError::new("/client_public_key", reason)];
        Problem::new(ErrorCode::InvalidRequest, "The retrieval is not valid.").with_errors(errors)
    };
    let pem = given.or_else(|| asked.payload["client_public_key"].as_str());
    let pem = pem.ok_or_else(|| refused("is missing: neither the job nor the request has one".to_owned()))?;
    let key = PublicKey::from_pem(pem).map_err(|error| refused(format!("is not acceptable: {error}")))?;
    Ok((pem.to_owned(), key.hash()))
}

fn corrupt(asked: &Asked, what: &str) -> Problem {
    tracing::error!(job.id = %asked.job_id, "the {what} of a completed encrypted job is missing or wrong");
    Problem::internal()
}
