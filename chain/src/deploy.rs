//! Puts the registry on a chain, at an address that depends only on its code and its first admin.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, address, aliases::U48, keccak256};
use alloy::providers::{Provider, RootProvider};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolConstructor};
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::{constructorCall, grantRoleCall, setKeyManagerCall};
use tokio::time::{Instant, sleep};

use crate::client::require_registry;
use crate::signing::{self, Call};
use crate::{ChainError, Rejection, RevertReason, rpc, sender};

/// Arachnid's deployment proxy: same address on every chain, present on anvil from the start.
const DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// Seconds that a transfer of the default admin role must wait: one day.
const ADMIN_DELAY: u64 = 86_400;
/// How long a transaction may take to get into a block.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// Where the registry stands when `admin` deploys it.
pub fn registry_address(admin: Address) -> Address {
    DEPLOYER.create2_from_code(salt(), init_code(admin))
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
    let provider = rpc::provider(rpc_url, timeout)?;
    rpc::require_chain(&provider, chain_id).await?;
    let deployment = Deployment { provider, chain_id, signer: signing::signer(deployer_key)? };
    let registry = registry_address(deployment.signer.address());
    deployment.ensure_code(registry).await?;
    deployment.ensure_role(registry, confirmer).await?;
    Ok(registry)
}

/// The account that administers a registry, and how to reach its chain.
#[derive(Clone, Copy)]
pub struct Admin<'a> {
    pub rpc_url: &'a str,
    pub chain_id: u64,
    /// 0x-hex.
    pub private_key: &'a str,
    /// Time-out of one JSON-RPC request.
    pub timeout: Duration,
}

/// Pins the key manager's address in the registry unless it is pinned already.
///
/// # Errors
/// [`ChainError::WrongChain`], [`ChainError::NotARegistry`]; the account is not the registry's admin or cannot pay; or
/// the node is unavailable.
pub async fn ensure_key_manager(admin: Admin<'_>, registry: Address, manager: Address) -> Result<(), ChainError> {
    let provider = rpc::provider(admin.rpc_url, admin.timeout)?;
    rpc::require_chain(&provider, admin.chain_id).await?;
    require_registry(&provider, registry).await?;
    if ZamaJobsRegistry::new(registry, &provider).keyManager().call().await? == manager {
        return Ok(());
    }
    let deployment = Deployment { provider, chain_id: admin.chain_id, signer: signing::signer(admin.private_key)? };
    deployment.transact(registry, setKeyManagerCall { manager }.abi_encode().into()).await?;
    tracing::info!(%registry, %manager, "{manager} is the key manager now");
    Ok(())
}

struct Deployment {
    provider: RootProvider,
    chain_id: u64,
    signer: PrivateKeySigner,
}

impl Deployment {
    async fn ensure_code(&self, registry: Address) -> Result<(), ChainError> {
        if self.provider.get_code_at(registry).await?.is_empty() {
            if self.provider.get_code_at(DEPLOYER).await?.is_empty() {
                return Err(ChainError::NoDeployer(DEPLOYER));
            }
            let input = [salt().as_slice(), &init_code(self.signer.address())].concat();
            let sent = self.transact(DEPLOYER, input.into()).await;
            // Another deployer may have been faster; what counts is whether the code is there.
            if let Err(error) = sent
                && self.provider.get_code_at(registry).await?.is_empty()
            {
                return Err(error);
            }
            tracing::info!(%registry, chain.id = self.chain_id, "ZamaJobsRegistry deployed at {registry}");
        }
        require_registry(&self.provider, registry).await
    }

    async fn ensure_role(&self, registry: Address, confirmer: Address) -> Result<(), ChainError> {
        let contract = ZamaJobsRegistry::new(registry, &self.provider);
        let role = contract.CONFIRMER_ROLE().call().await?;
        if !contract.hasRole(role, confirmer).call().await? {
            let grant = grantRoleCall { role, account: confirmer };
            self.transact(registry, grant.abi_encode().into()).await?;
            tracing::info!(%registry, %confirmer, "{confirmer} may confirm batches now");
        }
        Ok(())
    }

    /// Sends one transaction and waits until it is in a block.
    async fn transact(&self, to: Address, input: Bytes) -> Result<(), ChainError> {
        let from = self.signer.address();
        let estimate = sender::estimate(&self.provider, from, to, input.clone()).await?;
        let nonce = self.provider.get_transaction_count(from).pending().await?;
        let call =
            Call { chain_id: self.chain_id, nonce, to, input, gas_limit: estimate.gas_limit, fees: estimate.fees };
        let signed = signing::sign(&self.signer, call)?;
        sender::broadcast(&self.provider, &signed.raw).await?;
        let deadline = Instant::now() + INCLUSION_TIMEOUT;
        loop {
            match self.provider.get_transaction_receipt(signed.hash).await? {
                Some(receipt) if receipt.status() => return Ok(()),
                Some(_) => {
                    return Err(ChainError::Reverted(RevertReason::Other(format!("transaction {}", signed.hash))));
                }
                None if Instant::now() > deadline => {
                    return Err(ChainError::Rejected {
                        rejection: Rejection::Other,
                        message: format!("transaction {} is in no block after {INCLUSION_TIMEOUT:?}", signed.hash),
                    });
                }
                None => sleep(POLL).await,
            }
        }
    }
}

/// The same in contracts/script/Deploy.s.sol.
fn salt() -> B256 {
    keccak256("zama-jobs/registry/v1")
}

fn init_code(admin: Address) -> Vec<u8> {
    let arguments = constructorCall { adminDelay: U48::from(ADMIN_DELAY), admin }.abi_encode();
    [ZamaJobsRegistry::BYTECODE.as_ref(), &arguments].concat()
}
