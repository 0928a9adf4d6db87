//! The network's keys: the key manager makes them once; everybody encrypts under the public one.

use tfhe::core_crypto::prelude::LweCiphertextCount;
use tfhe::prelude::Tagged;
use tfhe::zk::{CompactPkeCrs, new_compact_pke_crs_conformance_params};
use tfhe::{ClientKey, CompactPublicKey, CompressedServerKey, Tag};

use super::{KeyError, KeyId, mark};
use crate::bytes::{self, contained};
use crate::parameters::{CRS_BITS, network_config};
use crate::profile;

/// Largest public key, in bytes: 33 KB in practice.
const MAX_PUBLIC_KEY: usize = 1024 * 1024;
/// Largest common reference string, in bytes: 4.6 MB in practice.
const MAX_CRS: usize = 16 * 1024 * 1024;
/// Plaintext bits of a block with its carry, as proofs pack them.
const PACKED_BITS: usize = 4;

/// What is being made, in this order; the last takes most of the time, about ten seconds on two cores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    SecretKey,
    PublicKey,
    EvaluationKey,
    CommonReferenceString,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 4] = [Self::SecretKey, Self::PublicKey, Self::EvaluationKey, Self::CommonReferenceString];

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::SecretKey => "secret key",
            Self::PublicKey => "public key",
            Self::EvaluationKey => "evaluation key",
            Self::CommonReferenceString => "common reference string",
        }
    }
}

/// The network's keys, each as its bytes.
pub struct NetworkKeys {
    /// Decrypts everything: leaves the key manager never.
    pub secret_key: Vec<u8>,
    pub public_key: Vec<u8>,
    pub evaluation_key: Vec<u8>,
    pub crs: Vec<u8>,
}

impl NetworkKeys {
    /// Makes new keys; `progress` is told each stage as it begins.
    ///
    /// # Errors
    /// tfhe refuses the parameters, which our own never are.
    pub fn generate(mut progress: impl FnMut(Stage)) -> Result<Self, KeyError> {
        profile::pin();
        let config = network_config();
        progress(Stage::SecretKey);
        let mut secret_key = ClientKey::generate(config);
        mark(&mut secret_key);
        progress(Stage::PublicKey);
        let public_key =
            CompactPublicKey::try_new(&secret_key).map_err(|error| KeyError::Generation(error.to_string()))?;
        progress(Stage::EvaluationKey);
        let evaluation_key = CompressedServerKey::new(&secret_key);
        progress(Stage::CommonReferenceString);
        let crs =
            CompactPkeCrs::from_config(config, CRS_BITS).map_err(|error| KeyError::Generation(error.to_string()))?;
        Ok(Self {
            secret_key: bytes::write(&secret_key),
            public_key: bytes::write(&public_key),
            evaluation_key: bytes::write(&evaluation_key),
            crs: bytes::write(&crs),
        })
    }

    /// The id of these keys.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::network(&self.evaluation_key, &self.public_key, &self.crs)
    }
}

/// What one encrypts with, and what proofs are verified with.
pub struct NetworkPublicKey {
    pub(crate) key: CompactPublicKey,
    pub(crate) crs: CompactPkeCrs,
}

impl NetworkPublicKey {
    /// Reads both parts.
    ///
    /// # Errors
    /// Bytes that are not such a key or string of the network's parameters.
    pub fn from_bytes(public_key: &[u8], crs: &[u8]) -> Result<Self, KeyError> {
        profile::pin();
        let parameters = network_config()
            .public_key_encryption_parameters()
            .map_err(|error| KeyError::Generation(error.to_string()))?;
        let messages = LweCiphertextCount(CRS_BITS / PACKED_BITS);
        let crs_parameters = contained(|| new_compact_pke_crs_conformance_params(parameters, messages))
            .and_then(Result::ok)
            .ok_or_else(|| KeyError::Generation("the parameters allow no proofs".to_owned()))?;
        Ok(Self {
            key: bytes::read_conformant(public_key, MAX_PUBLIC_KEY, "public key", &parameters)?,
            crs: bytes::read_conformant(crs, MAX_CRS, "common reference string", &crs_parameters)?,
        })
    }

    pub(crate) fn tag(&self) -> &Tag {
        self.key.tag()
    }
}
