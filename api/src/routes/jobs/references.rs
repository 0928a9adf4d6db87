//! What a submission of an encrypted job names must be there, its tenant's blob and key, and be of use: a key to seal to.

use ::blobs::remote::{FetchError, check_spelling};
use jobs::fhe::{EncryptedDataUrl, KeyChoice, KeyMode};
use jobs::submission::{Submission, Work};
use jobs::{ErrorCode, FieldError, TenantId};
use retrieval::PublicKey;
use store::client_keys::KeyStatus;
use store::uploads::Kind;
use store::{blobs, client_keys};

use crate::ApiState;
use crate::policy::problem::Problem;

/// Checks the references, and notes the size of the inputs, which are billed. Plain jobs name nothing.
///
/// # Errors
/// JOB_VALIDATION_FAILED with what is missing; another tenant's is missing too.
pub async fn check(state: &ApiState, tenant: &TenantId, submission: &mut Submission) -> Result<(), Problem> {
    let Work::Encrypted { request, data, data_bytes } = &mut submission.work else { return Ok(()) };
    let mut errors = Vec::new();
    match data {
        EncryptedDataUrl::Blob(sha256) => match blobs::find(&state.pool, tenant, *sha256).await? {
            Some(blob) => *data_bytes = usize::try_from(blob.size).ok(),
            None => errors.push(no_blob()),
        },
        // The fetch is the guard; what it will refuse for certain need not be paid first.
        EncryptedDataUrl::Remote(url) => errors.extend(check_spelling(url).err().map(not_fetched)),
    }
    if let (KeyMode::Client, Some(key_id)) = (request.key.mode, request.key.key_id) {
        let key = client_keys::find(&state.pool, tenant, key_id.0).await?;
        errors.extend(unusable(key));
    }
    // Its form was checked; that nothing can be sealed to it must not turn out after the job was paid.
    if let Some(key) = &request.client_public_key
        && let Err(error) = PublicKey::from_der(key.der())
    {
        errors.push(FieldError::new("/payload/client_public_key", error.to_string()));
    }
    if !errors.is_empty() {
        return Err(unusable_references(errors));
    }
    check_network_key(state, request.key).await
}

/// A job that names the network's key means the one that there is. While nobody knows which that is, the worker says so.
async fn check_network_key(state: &ApiState, key: KeyChoice) -> Result<(), Problem> {
    let (KeyMode::Network, Some(named), Some(keys)) = (key.mode, key.key_id, &state.network_keys) else {
        return Ok(());
    };
    match keys.manifest().await {
        Ok(ours) if ours.key_id.0 != named.0 => {
            let reason = format!("is not the id of the network's key: that is {}", ours.key_id);
            let detail = "The job names another network key than the one that there is.";
            Err(Problem::new(ErrorCode::KeyMismatch, detail)
                .with_errors(vec![FieldError::new("/payload/key/key_id", reason)]))
        }
        _ => Ok(()),
    }
}

fn not_fetched(error: FetchError) -> FieldError {
    let reason = match error {
        FetchError::Url(reason) => reason.to_owned(),
        FetchError::NotPublic { host, .. } => format!("names a host that is not public: {host}"),
        other => other.to_string(),
    };
    FieldError::new("/payload/encrypted_data_url", reason)
}

/// The refusal of what was there when it was checked, and deleted before the job was stored.
pub fn gone(kind: Kind) -> Problem {
    unusable_references(vec![match kind {
        Kind::Blob => no_blob(),
        Kind::ClientKey => no_key(),
    }])
}

fn unusable_references(errors: Vec<FieldError>) -> Problem {
    Problem::new(ErrorCode::JobValidationFailed, "The job names what is not there or of no use.").with_errors(errors)
}

fn no_blob() -> FieldError {
    FieldError::new("/payload/encrypted_data_url", "names no blob of this tenant")
}

fn no_key() -> FieldError {
    FieldError::new("/payload/key/key_id", "names no key of this tenant")
}

fn unusable(key: Option<client_keys::ClientKey>) -> Option<FieldError> {
    let Some(key) = key else { return Some(no_key()) };
    let reason = match key.status {
        KeyStatus::Ready => return None,
        KeyStatus::Pending => "names a key that is still being checked; submit when it is ready".to_owned(),
        KeyStatus::Refused => format!("names a key that was refused: {}", key.detail),
    };
    Some(FieldError::new("/payload/key/key_id", reason))
}
