//! A result under the network key: the API gathers what the key manager wants to see, and decides nothing.

use alloy::primitives::Address;
use blobs::{BlobHash, MAX_RESULT_BYTES, SystemKey};
use jobs::{ErrorCode, FieldError, JobStatus};
use retrieval::{Answer, Attestation, PublicKey};
use store::jobs::Reader;

use super::super::{receipt, unavailable};
use super::{Asked, grantee, signature};
use crate::ApiState;
use crate::key_manager::Decryption;
use crate::policy::download;
use crate::policy::problem::Problem;

pub(super) async fn answer(state: &ApiState, asked: &Asked) -> Result<Answer, Problem> {
    let Some(keys) = &state.network_keys else {
        return Err(Problem::new(ErrorCode::ServiceUnavailable, "There is no key manager here."));
    };
    let recipient = recipient(asked)?;
    let signature = signature(&asked.wish)?;
    let reader = Reader { tenant: &asked.tenant, user: None };
    // Whose it is, the key manager finds out; here it only matters who must have named a key.
    let signer = signature.signer(asked.retrieval(recipient.hash()).digest(state.domain));
    if asked.wish.client_public_key.is_none()
        && signer != Ok(Address::from(asked.job.submitter))
        && grantee::holds_grant(state, reader, asked.job_id, &asked.wish, Some(&recipient)).await?
    {
        return Err(grantee::key_missing());
    }

    let found = store::receipts::find(&state.pool, reader, asked.job_id).await?;
    let parts = found.and_then(|found| found.parts);
    let parts = parts.ok_or_else(|| unavailable::problem("confirmed result", JobStatus::Confirming, None))?;
    let (leaf, inclusion) = receipt::included(asked.job_id, &parts).ok_or_else(|| receipt::damaged(asked.job_id))?;
    let lineage = parts.handle.ok_or_else(|| {
        Problem::damaged("attestation", format_args!("the completed encrypted job {} has none", asked.job_id))
    })?;

    let key = SystemKey::result(asked.job_id, BlobHash(asked.result_hash));
    let result = state.blobs.get_system_verified(&key, BlobHash(asked.result_hash), MAX_RESULT_BYTES).await;
    let result = result.map_err(|error| download::unreadable("result", asked.job_id, error))?;
    let asked = Decryption {
        result,
        leaf: leaf.leaf(),
        inclusion,
        attestation: Attestation {
            job_id: asked.job_id,
            tenant: asked.tenant.clone(),
            submitter: Address::from(asked.job.submitter),
            inputs_hash: lineage.inputs_hash.into(),
            program_hash: lineage.program_hash.into(),
            key_id: lineage.key_id.into(),
            result_hash: asked.result_hash.into(),
        },
        attestation_signature: lineage.attestation,
        retrieval: asked.retrieval(recipient.hash()),
        retrieval_signature: signature.to_bytes(),
        client_public_key: recipient.to_pem(),
    };
    Ok(keys.manager().decrypt(asked).await?)
}

/// The key to seal to: the request's, else the job's.
fn recipient(asked: &Asked) -> Result<PublicKey, Problem> {
    let refused = |reason: String| {
        let errors = vec![FieldError::new("/client_public_key", reason)];
        Problem::new(ErrorCode::InvalidRequest, "The retrieval is not valid.").with_errors(errors)
    };
    let key = match (&asked.wish.client_public_key, &asked.payload.client_public_key) {
        (Some(pem), _) => PublicKey::from_pem(pem),
        (None, Some(key)) => PublicKey::from_der(key.der()),
        (None, None) => return Err(refused("is missing: neither the job nor the request has one".to_owned())),
    };
    key.map_err(|error| refused(format!("is not acceptable: {error}")))
}
