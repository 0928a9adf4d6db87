//! The keys that requests are signed with, derived from one secret of the servers: no database holds them.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use jobs::TenantId;
use uuid::Uuid;

/// Shortest secret, in bytes.
const MIN_SECRET: usize = 32;

/// Derives tenants' keys.
#[derive(Clone)]
pub struct RequestKeys(Key);

impl RequestKeys {
    /// # Errors
    /// A secret of fewer than 32 bytes.
    pub fn new(secret: &str) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            return Err(format!("must have {MIN_SECRET} characters or more"));
        }
        Ok(Self(Key::new(HMAC_SHA256, secret.as_bytes())))
    }

    /// A key as its tenant holds it; the bytes of this text are the HMAC key.
    #[must_use]
    pub fn of(&self, tenant: &TenantId, id: Uuid) -> String {
        let name = format!("zama-jobs/v1/request-key\n{tenant}\n{id}");
        format!("zrk_{}", hex::encode(sign(&self.0, name.as_bytes())))
    }

    /// Whether the tag is that of the text under this key; in constant time.
    pub(super) fn verifies(&self, tenant: &TenantId, id: Uuid, text: &[u8], tag: &[u8; 32]) -> bool {
        let key = Key::new(HMAC_SHA256, self.of(tenant, id).as_bytes());
        verify(&key, text, tag).is_ok()
    }
}
