//! The secret key: encrypts for its holder and decrypts.

use tfhe::prelude::Tagged;
use tfhe::shortint::AtomicPatternParameters;
use tfhe::shortint::parameters::PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128;
use tfhe::{ClientKey, Tag};

use super::KeyError;
use crate::bytes::{self, ReadError};
use crate::profile;

/// Largest secret key, in bytes: 49 KB in practice.
pub(super) const MAX_SECRET_KEY: usize = 1024 * 1024;

/// The key of the network or of a client. It has no `Debug`. tfhe does not wipe it when it is dropped.
pub struct SecretKey(pub(crate) ClientKey);

impl SecretKey {
    /// Reads a key that [`super::NetworkKeys`] or [`super::ClientKeys`] wrote.
    ///
    /// # Errors
    /// Bytes that are not such a key of our parameters.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        const KIND: &str = "secret key";
        profile::pin();
        let key: ClientKey = bytes::read(bytes, MAX_SECRET_KEY, KIND)?;
        let expected = AtomicPatternParameters::from(PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128);
        match key.computation_parameters() == expected {
            true => Ok(Self(key)),
            false => Err(ReadError::Parameters { kind: KIND }.into()),
        }
    }

    pub(crate) fn tag(&self) -> &Tag {
        self.0.tag()
    }
}
