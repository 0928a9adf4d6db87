//! Keys: made, named, written and read back.

mod client;
mod evaluation;
mod network;
mod secret;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::client::ClientKeys;
pub use self::evaluation::{EvaluationKey, MAX_EVALUATION_KEY};
pub use self::network::{NetworkKeys, NetworkPublicKey, Stage};
pub use self::secret::SecretKey;
pub use crate::bytes::ReadError;
pub use crate::child::protocol::KeyMode;

/// The name of a key: binds everything that is computed under it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct KeyId(pub [u8; 32]);

impl KeyId {
    /// SHA-256 of the SHA-256 of each of the three public parts, as they were serialised when they were made.
    #[must_use]
    pub fn network(evaluation_key: &[u8], public_key: &[u8], crs: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [evaluation_key, public_key, crs] {
            hash.update(Sha256::digest(part));
        }
        Self(hash.finalize().into())
    }

    /// SHA-256 of the evaluation key as this build serialises it.
    #[must_use]
    pub fn client(evaluation_key: &[u8]) -> Self {
        Self(Sha256::digest(evaluation_key).into())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a key was not made or not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the {kind} cannot be expanded")]
    Damaged { kind: &'static str },
    #[error("the keys were not made together")]
    Unrelated,
    #[error("the key could not be made: {0}")]
    Generation(String),
}

/// Bytes of the mark that relates the keys and ciphertexts of one secret key.
const MARK_BYTES: usize = 16;

/// A random mark: tfhe copies it from the secret key to the other keys and to ciphertexts. It proves nothing; it tells
/// a ciphertext that was sent to the wrong key from one that is damaged.
fn mark(key: &mut tfhe::ClientKey) {
    use tfhe::prelude::Tagged;
    key.tag_mut().set_data(&rand::random::<[u8; MARK_BYTES]>());
}
