//! Puts the registry on a chain, at an address that depends only on its code and its first admin.

use std::time::Duration;

use alloy::primitives::Address;
use alloy::providers::{Provider, RootProvider};
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry::{grantRoleCall, setKeyManagerCall};
use contracts::{DEPLOYMENT, ZamaJobsRegistry};

use crate::account::{Account, Mined, Sending};
use crate::client::require_registry;
use crate::{ChainError, Signer};

/// Where the registry stands when `admin` deploys it.
pub fn registry_address(admin: Address) -> Address {
    DEPLOYMENT.address(admin)
}

/// Deploys the registry if it is not there yet and grants `confirmer` CONFIRMER_ROLE if it does not hold it. The
/// deployer's account becomes default admin. Returns the address; repeating it changes nothing.
///
/// # Errors
/// [`ChainError::WrongChain`]; [`ChainError::NoDeployer`]; the deployer cannot pay or is not the admin any more; or the
/// node is unavailable.
pub async fn ensure_registry(
    rpc_url: &str,
    chain_id: u64,
    deployer_key: &str,
    confirmer: Address,
    timeout: Duration,
) -> Result<Address, ChainError> {
    let deployer = Account::connect(rpc_url, chain_id, deployer_key, timeout).await?;
    let registry = registry_address(deployer.address());
    ensure_code(&deployer, deployer.address(), &Sending::default()).await?;
    ensure_role(&deployer, registry, confirmer).await?;
    Ok(registry)
}

/// The account that administers a registry, and how to reach its chain.
#[derive(Clone, Copy, Debug)]
pub struct Admin<'a> {
    pub rpc_url: &'a str,
    pub chain_id: u64,
    pub signer: &'a Signer,
    /// Time-out of one JSON-RPC request.
    pub timeout: Duration,
}

impl Admin<'_> {
    pub(crate) async fn account(self) -> Result<Account, ChainError> {
        Account::of(self.signer.clone(), self.rpc_url, self.chain_id, self.timeout).await
    }
}

/// Pins the key manager's address in the registry unless it is pinned already.
///
/// # Errors
/// [`ChainError::WrongChain`], [`ChainError::NotARegistry`]; the account is not the registry's admin or cannot pay; or
/// the node is unavailable.
pub async fn ensure_key_manager(admin: Admin<'_>, registry: Address, manager: Address) -> Result<(), ChainError> {
    let account = admin.account().await?;
    require_registry(&account.provider, registry).await?;
    if ZamaJobsRegistry::new(registry, &account.provider).keyManager().call().await? == manager {
        return Ok(());
    }
    account.transact(registry, setKeyManagerCall { manager }.abi_encode().into()).await?;
    tracing::info!(%registry, %manager, "{manager} is the key manager now");
    Ok(())
}

/// Deploys the registry of this admin if it is not there yet, whoever pays for it; tells the transaction, if one was sent
/// and counted.
pub(crate) async fn ensure_code(
    payer: &Account,
    admin: Address,
    how: &Sending<'_>,
) -> Result<Option<Mined>, ChainError> {
    let (provider, registry) = (&payer.provider, registry_address(admin));
    let mut mined = None;
    if provider.get_code_at(registry).await?.is_empty() {
        require_deployer(provider).await?;
        let sent = payer.send(DEPLOYMENT.deployer, DEPLOYMENT.call(admin), how).await;
        mined = match sent {
            Ok(sent) => Some(sent),
            // Another deployer may have been faster; what counts is whether the code is there.
            Err(error) if provider.get_code_at(registry).await?.is_empty() => return Err(error),
            Err(_) => None,
        };
        tracing::info!(%registry, "ZamaJobsRegistry deployed at {registry}");
    }
    require_registry(provider, registry).await?;
    Ok(mined)
}

/// Refuses a chain without the contract that deploys.
pub(crate) async fn require_deployer(provider: &RootProvider) -> Result<(), ChainError> {
    let deployer = DEPLOYMENT.deployer;
    let is_missing = provider.get_code_at(deployer).await?.is_empty();
    if is_missing { Err(ChainError::NoDeployer(deployer)) } else { Ok(()) }
}

async fn ensure_role(deployer: &Account, registry: Address, confirmer: Address) -> Result<(), ChainError> {
    let contract = ZamaJobsRegistry::new(registry, &deployer.provider);
    let role = contract.CONFIRMER_ROLE().call().await?;
    if !contract.hasRole(role, confirmer).call().await? {
        let grant = grantRoleCall { role, account: confirmer };
        deployer.transact(registry, grant.abi_encode().into()).await?;
        tracing::info!(%registry, %confirmer, "{confirmer} may confirm batches now");
    }
    Ok(())
}
