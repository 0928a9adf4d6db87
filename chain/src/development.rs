//! Submitters for development: keys that anybody can derive. Production never calls this.

use alloy::primitives::{Address, B256, keccak256};
use jobs::{TenantId, UserId};

use crate::{ChainError, signing};

/// A submitter's key pair.
pub struct Submitter {
    /// 0x-hex.
    pub private_key: String,
    pub address: Address,
}

/// The submitter of a development tenant's user: the same on every machine.
///
/// # Errors
/// A derived key that is no key; its chance is about 2^-128.
pub fn submitter(tenant: &TenantId, user: &UserId) -> Result<Submitter, ChainError> {
    let key: B256 = keccak256(format!("zama-jobs/development/submitter/{tenant}/{user}"));
    let private_key = key.to_string();
    let address = signing::signer(&private_key)?.address();
    Ok(Submitter { private_key, address })
}
