//! Notices (webhooks) of Lago: the key under which it signs them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{LagoClient, LagoError};

/// How a notice is signed; its `X-Lago-Signature` is a JWT whose `data` is the notice.
pub const NOTICE_ALGORITHM: &str = "jwt";

/// The public key under which Lago signs its notices, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeKey(pub String);

impl LagoClient {
    /// Asks Lago for its key.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn notice_key(&self) -> Result<NoticeKey, LagoError> {
        #[derive(Deserialize)]
        struct Answer {
            webhook: Key,
        }
        #[derive(Deserialize)]
        struct Key {
            public_key: String,
        }
        let answer: Option<Answer> = self.find(&["webhooks", "json_public_key"]).await?;
        let unexpected = |what: &str| LagoError::Unexpected(format!("the key of webhooks {what}"));
        let encoded = answer.ok_or_else(|| unexpected("is not told"))?.webhook.public_key;
        let decoded = STANDARD.decode(encoded.replace(['\n', '\r'], "")).map_err(|_| unexpected("is no base64"))?;
        String::from_utf8(decoded).map(NoticeKey).map_err(|_| unexpected("is no PEM"))
    }
}
