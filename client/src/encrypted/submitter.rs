//! The submitter: the EVM key that inputs are bound to and that alone asks for the result.

use alloy::primitives::Address;
use fhe::inputs::Origin;
use retrieval::Signer;

use super::EncryptedError;

/// A submitter's secret key. Its `Debug` shows the address alone.
#[derive(Clone, Debug)]
pub struct Submitter(Signer);

impl Submitter {
    /// The key in a text of 32 bytes 0x-hex.
    ///
    /// # Errors
    /// [`EncryptedError::SubmitterKey`], which does not repeat the text.
    pub fn from_hex(secret: &str) -> Result<Self, EncryptedError> {
        Signer::from_hex(secret.trim()).map(Self).ok_or(EncryptedError::SubmitterKey)
    }

    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// What inputs of this submitter are bound to.
    #[must_use]
    pub fn origin(&self, tenant: &str) -> Origin {
        Origin { tenant: tenant.to_owned(), submitter: self.address().into_array() }
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.0
    }
}

impl From<Signer> for Submitter {
    fn from(signer: Signer) -> Self {
        Self(signer)
    }
}
