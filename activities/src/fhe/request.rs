//! What a stored payload asks for.

use jobs::fhe::EncryptedRequest;

/// The request of a payload that admission has checked.
pub(crate) fn read_request(payload: &str) -> Option<EncryptedRequest> {
    EncryptedRequest::parse_payload(&serde_json::from_str(payload).ok()?).ok()
}
