//! Keys: made, named, written and read back.

mod client;
mod evaluation;
mod network;
mod secret;

#[cfg(test)]
mod tests;

pub use jobs::fhe::{KeyId, KeyMode};

pub use self::client::ClientKeys;
pub use self::evaluation::{EvaluationKey, MAX_EVALUATION_KEY};
pub use self::network::{BoundParts, NetworkKeys, NetworkPublicKey, Stage};
pub use self::secret::SecretKey;
pub use crate::bytes::ReadError;

/// Why a key was not made or not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the {kind} cannot be expanded")]
    Damaged { kind: &'static str },
    #[error("the key's id does not follow from its parts")]
    OtherId,
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
