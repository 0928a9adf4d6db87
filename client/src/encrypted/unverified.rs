//! The network key as the API describes it, and what makes a client believe the description: whoever passes on a key of
//! its own reads everything that is encrypted under it.

use alloy::primitives::B256;
use retrieval::{Domain, NetworkKeyClaim, Signature};

use super::network_key::check_id;
use super::{EncryptedError, NetworkKeyInfo, Trust};
use crate::transport::Client;

/// What the API says about the network key. Nothing can be encrypted under it.
#[derive(Clone, Debug)]
pub struct UnverifiedKey(NetworkKeyInfo);

/// A description that somebody vouches for whom the client believes. Its key id binds the parts by their hashes.
#[derive(Clone, Debug)]
pub struct VerifiedKey(NetworkKeyInfo);

impl UnverifiedKey {
    /// What the API says.
    #[must_use]
    pub fn info(&self) -> &NetworkKeyInfo {
        &self.0
    }

    /// Believes the key if the key manager has signed it: the one that the registry pins, read through the client's own
    /// node, or the one that `trust` names.
    ///
    /// # Errors
    /// [`EncryptedError::UnsignedNetworkKey`], a description that contradicts itself or `trust`, or a node that does not
    /// answer.
    pub async fn verify(self, trust: &Trust) -> Result<VerifiedKey, EncryptedError> {
        check_id(&self.0)?;
        let domain = Domain { chain_id: self.0.chain_id, registry: self.0.registry };
        let key_manager = trust.key_manager_of(domain).await?;
        let claim = NetworkKeyClaim { key_id: self.0.key_id, parameters: &self.0.parameters };
        let signer = Signature::from_bytes(&self.0.signature).and_then(|it| it.signer(claim.digest(domain)));
        match signer {
            Ok(signer) if signer == key_manager => Ok(VerifiedKey(self.0)),
            _ => Err(EncryptedError::UnsignedNetworkKey { key_id: self.0.key_id, key_manager }),
        }
    }

    /// Believes the key if it has the id that the caller learnt elsewhere.
    ///
    /// # Errors
    /// [`EncryptedError::OtherNetworkKey`], or an id that does not follow from the hashes.
    pub fn expect(self, key_id: B256) -> Result<VerifiedKey, EncryptedError> {
        check_id(&self.0)?;
        match self.0.key_id {
            actual if actual == key_id => Ok(VerifiedKey(self.0)),
            actual => Err(EncryptedError::OtherNetworkKey { expected: key_id, actual }),
        }
    }
}

impl VerifiedKey {
    #[must_use]
    pub fn info(&self) -> &NetworkKeyInfo {
        &self.0
    }

    pub(super) fn into_info(self) -> NetworkKeyInfo {
        self.0
    }
}

impl Client {
    /// Reads what the API says about the network key.
    ///
    /// # Errors
    /// [`EncryptedError::NoNetworkKey`], or a call that failed.
    pub async fn network_key_described(&self) -> Result<UnverifiedKey, EncryptedError> {
        self.keys().await?.network.map(UnverifiedKey).ok_or(EncryptedError::NoNetworkKey)
    }
}
