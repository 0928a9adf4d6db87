//! Submitters for development: keys that anybody can derive, and play money for them. Production never calls this.

use std::time::Duration;

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::providers::Provider;
use jobs::{TenantId, UserId};

use crate::{ChainError, rpc, signing};

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
    let address = signing::address_of(&private_key)?;
    Ok(Submitter { private_key, address })
}

/// Gives an account of a development chain (anvil) 100 ETH if it has nothing: grants cost gas.
///
/// # Errors
/// The node is unavailable, or is no anvil.
pub async fn ensure_funds(rpc_url: &str, account: Address, timeout: Duration) -> Result<(), ChainError> {
    let provider = rpc::provider(rpc_url, timeout)?;
    if provider.get_balance(account).await?.is_zero() {
        let funds = U256::from(100) * U256::from(1_000_000_000_000_000_000_u64);
        provider.raw_request::<_, ()>("anvil_setBalance".into(), (account, funds)).await?;
    }
    Ok(())
}
