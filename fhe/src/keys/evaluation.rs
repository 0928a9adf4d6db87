//! The evaluation key: computes, and reads nothing.

use tfhe::prelude::Tagged;
use tfhe::{CompressedServerKey, ServerKey, Tag};

use super::{KeyError, KeyId, KeyMode};
use crate::bytes::{self, ReadError, conforms, contained};
use crate::parameters::{client_config, client_config_with_oprf, network_config};
use crate::profile;

/// Largest compressed evaluation key, in bytes; those of our parameters have 30 to 76 MB.
pub const MAX_EVALUATION_KEY: usize = jobs::fhe::MAX_EVALUATION_KEY_BYTES;

const KIND: &str = "evaluation key";

/// An expanded evaluation key; clones share it.
#[derive(Clone)]
pub struct EvaluationKey {
    key: ServerKey,
    mode: KeyMode,
    client_id: KeyId,
}

impl EvaluationKey {
    /// Reads and expands a compressed key, 0.3 to 1 s.
    ///
    /// # Errors
    /// Bytes that are not such a key of the mode's parameters.
    pub fn from_bytes(bytes: &[u8], mode: KeyMode) -> Result<Self, KeyError> {
        profile::pin();
        let compressed: CompressedServerKey = bytes::read(bytes, MAX_EVALUATION_KEY, KIND)?;
        let fits = match mode {
            KeyMode::Network => conforms(&compressed, &network_config().into()),
            KeyMode::Client => {
                conforms(&compressed, &client_config().into())
                    || conforms(&compressed, &client_config_with_oprf().into())
            }
        };
        if !fits {
            return Err(ReadError::Parameters { kind: KIND }.into());
        }
        let client_id = KeyId::client(&bytes::write(&compressed));
        let key = contained(|| compressed.decompress()).ok_or(KeyError::Damaged { kind: KIND })?;
        Ok(Self { key, mode, client_id })
    }

    /// Who holds the secret key.
    #[must_use]
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    /// The id in client mode, over the bytes as this build writes them.
    #[must_use]
    pub fn client_id(&self) -> KeyId {
        self.client_id
    }

    pub(crate) fn server_key(&self) -> &ServerKey {
        &self.key
    }

    pub(crate) fn tag(&self) -> &Tag {
        self.key.tag()
    }
}
