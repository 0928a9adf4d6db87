//! Keys that a client makes and holds.

use tfhe::{ClientKey, CompressedServerKey};
use zeroize::Zeroizing;

use super::secret::MAX_SECRET_KEY;
use super::{KeyId, mark};
use crate::bytes;
use crate::parameters::client_config;
use crate::profile;

/// A client's keys, each as its bytes.
pub struct ClientKeys {
    /// Decrypts everything: leaves the client never. Wiped when it is dropped.
    pub secret_key: Zeroizing<Vec<u8>>,
    /// What the client uploads; 30 MB.
    pub evaluation_key: Vec<u8>,
}

impl ClientKeys {
    /// Makes new keys; takes about a second.
    #[must_use]
    pub fn generate() -> Self {
        profile::pin();
        let mut secret_key = ClientKey::generate(client_config());
        mark(&mut secret_key);
        let evaluation_key = bytes::write(&CompressedServerKey::new(&secret_key));
        Self { secret_key: bytes::write_secret(&secret_key, MAX_SECRET_KEY), evaluation_key }
    }

    /// The id of these keys.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::client(&self.evaluation_key)
    }
}
