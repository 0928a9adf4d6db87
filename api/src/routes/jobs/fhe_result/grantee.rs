//! A grantee: whoever holds the key of an address to which the submitter has granted access on chain. Its token may be of
//! any tenant; the chain says what it may read, and the key manager says what the chain says.

use alloy::primitives::B256;
use jobs::fhe::KeyMode;
use jobs::submission::JobType;
use jobs::{ErrorCode, FieldError, JobId, JobStatus, TenantId};
use retrieval::{PublicKey, Retrieval};
use store::jobs::Reader;
use store::retrievals::{self, RetrievableJob};

use super::super::receipt;
use super::{Wish, payload_of, signature};
use crate::ApiState;
use crate::policy::problem::Problem;

/// The job of another tenant or user, if who signed holds a grant for it; nothing in every other case, so that ids
/// reveal nothing.
///
/// # Errors
/// The database is away, or a grantee named no key to seal to.
pub(super) async fn admitted(
    state: &ApiState,
    job_id: JobId,
    wish: &Wish,
) -> Result<Option<(TenantId, RetrievableJob)>, Problem> {
    let Some(tenant) = retrievals::tenant_of(&state.pool, job_id).await? else { return Ok(None) };
    let reader = Reader { tenant: &tenant, user: None };
    let Some(job) = retrievals::find(&state.pool, reader, job_id).await? else { return Ok(None) };
    if job.job_type != JobType::FheCompute || job.status != JobStatus::Completed {
        return Ok(None);
    }
    // A result under its owner's own key is of no use to anybody else.
    let Some(payload) = payload_of(job_id, &job).ok().filter(|payload| payload.key.mode == KeyMode::Network) else {
        return Ok(None);
    };
    let of_job = payload.client_public_key.and_then(|key| PublicKey::from_der(key.der()).ok());
    // What nobody can sign for is nobody's; and while the key manager is away, nobody is a grantee.
    match holds_grant(state, reader, job_id, wish, of_job.as_ref()).await {
        Ok(true) if wish.client_public_key.is_none() => Err(key_missing()),
        Ok(true) => Ok(Some((tenant, job))),
        Ok(false) => Ok(None),
        Err(_) => {
            tracing::warn!(job.id = %job_id, "whether who signed for the result holds a grant is not known");
            Ok(None)
        }
    }
}

/// Whether the signature is that of an address with a grant, under the key that the request names; where it names none,
/// under whatever a grantee may have signed instead.
pub(super) async fn holds_grant(
    state: &ApiState,
    reader: Reader<'_>,
    job_id: JobId,
    wish: &Wish,
    of_job: Option<&PublicKey>,
) -> Result<bool, Problem> {
    let Some(keys) = &state.network_keys else { return Ok(false) };
    let parts = store::receipts::find(&state.pool, reader, job_id).await?.and_then(|found| found.parts);
    let Some((leaf, _)) = parts.as_ref().and_then(|parts| receipt::included(job_id, parts)) else { return Ok(false) };
    let leaf_hash = leaf.leaf().hash();
    let signature = signature(wish)?;
    let hashes = match &wish.client_public_key {
        Some(pem) => PublicKey::from_pem(pem).ok().map(|key| key.hash()).into_iter().collect(),
        None => Vec::from_iter(of_job.map(PublicKey::hash).into_iter().chain([B256::ZERO])),
    };
    for public_key_hash in hashes {
        let retrieval = Retrieval { job_id, nonce: wish.nonce, public_key_hash, deadline: wish.deadline };
        let Ok(signer) = signature.signer(retrieval.digest(state.domain)) else { continue };
        if keys.manager().has_access(leaf_hash, signer).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The job's own key is the owner's: sealed to it, a grantee could not read the result, and its nonce would be spent.
pub(super) fn key_missing() -> Problem {
    let errors = vec![FieldError::new("/client_public_key", "is missing: a grantee names the key to seal to")];
    Problem::new(ErrorCode::InvalidRequest, "The retrieval is not valid.").with_errors(errors)
}
