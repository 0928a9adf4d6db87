//! What a submission of an encrypted job names must be there, its tenant's blob and key, and be of use: a key to seal to.

use jobs::fhe::{EncryptedDataUrl, KeyMode};
use jobs::submission::{Submission, Work};
use jobs::{ErrorCode, FieldError, TenantId};
use retrieval::PublicKey;
use store::client_keys::KeyStatus;
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
    if let EncryptedDataUrl::Blob(sha256) = data {
        match blobs::find(&state.pool, tenant, *sha256).await? {
            Some(blob) => *data_bytes = usize::try_from(blob.size).ok(),
            None => errors.push(FieldError::new("/payload/encrypted_data_url", "names no blob of this tenant")),
        }
    }
    if let (KeyMode::Client, Some(key_id)) = (request.key.mode, request.key.key_id) {
        let key = client_keys::find(&state.pool, tenant, key_id.0).await?;
        if let Some(reason) = unusable(key) {
            errors.push(FieldError::new("/payload/key/key_id", reason));
        }
    }
    // Its form was checked; that nothing can be sealed to it must not turn out after the job was paid.
    if let Some(key) = &request.client_public_key
        && let Err(error) = PublicKey::from_der(key.der())
    {
        errors.push(FieldError::new("/payload/client_public_key", error.to_string()));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::JobValidationFailed, "The job names what is not there or of no use.")
        .with_errors(errors))
}

fn unusable(key: Option<client_keys::ClientKey>) -> Option<String> {
    let Some(key) = key else { return Some("names no key of this tenant".to_owned()) };
    match key.status {
        KeyStatus::Ready => None,
        KeyStatus::Pending => Some("names a key that is still being checked; submit when it is ready".to_owned()),
        KeyStatus::Refused => Some(format!("names a key that was refused: {}", key.detail)),
    }
}
