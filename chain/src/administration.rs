//! Changes that an operator makes to a registry. Each is looked at and tried first, so that it can be told what will be
//! sent and what it may cost; one that stands already is not made again.

use std::fmt;

use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::{
    ZamaJobsRegistryErrors, ZamaJobsRegistryInstance, grantRoleCall, pauseCall, revokeRoleCall, setKeyManagerCall,
    unpauseCall,
};

use crate::account::{Account, Mined};
use crate::client::require_registry;
use crate::deploy::{self, Admin, DEPLOYER};
use crate::{ChainError, RevertReason, registry_address};

/// What an account may do at a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Confirms jobs, and signs batches that others relay.
    Confirmer,
    /// Pauses confirmation.
    Pauser,
}

impl Role {
    /// The role's name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmer => "CONFIRMER_ROLE",
            Self::Pauser => "PAUSER_ROLE",
        }
    }

    /// The role's id in the contract: the hash of its name.
    #[must_use]
    pub fn id(self) -> B256 {
        keccak256(self.name())
    }
}

/// One change of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Put the registry at its address.
    Deploy,
    Grant {
        role: Role,
        account: Address,
    },
    Revoke {
        role: Role,
        account: Address,
    },
    /// Name the key manager whose signature clients look for.
    PinKeyManager(Address),
    Pause,
    Unpause,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploy => f.write_str("deploy ZamaJobsRegistry"),
            Self::Grant { role, account } => write!(f, "grant {} to {account}", role.name()),
            Self::Revoke { role, account } => write!(f, "revoke {} of {account}", role.name()),
            Self::PinKeyManager(manager) => write!(f, "pin the key manager {manager}"),
            Self::Pause => f.write_str("pause confirmation"),
            Self::Unpause => f.write_str("resume confirmation"),
        }
    }
}

/// A change that is still to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub change: Change,
    /// `None`: it can only be tried once the registry is there.
    pub cost: Option<Cost>,
}

/// What a transaction may cost now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The node's estimate.
    pub gas: u64,
    /// In wei, with the margin that is added to the estimate, at the highest fee that would be offered.
    pub at_most: U256,
}

/// An account that changes a registry.
pub struct Administration {
    account: Account,
    registry: Address,
}

impl Administration {
    /// Of a registry that is there.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`], [`ChainError::NotARegistry`], a key that is none, or the node is unavailable.
    pub async fn connect(admin: Admin<'_>, registry: Address) -> Result<Self, ChainError> {
        let account = connect(admin).await?;
        require_registry(&account.provider, registry).await?;
        Ok(Self { account, registry })
    }

    /// Of the registry that this account deploys, whether it is there or not.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`], a key that is none, or the node is unavailable.
    pub async fn of_deployer(admin: Admin<'_>) -> Result<Self, ChainError> {
        let account = connect(admin).await?;
        let registry = registry_address(account.address());
        Ok(Self { account, registry })
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// The account that sends and pays.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.account.address()
    }

    /// What is left to do of `changes`, in their order, each tried against the newest state. Sends nothing.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] when the account may not make a change; [`ChainError::NoDeployer`];
    /// [`ChainError::NotARegistry`] when something else is where the registry belongs; or the node is unavailable.
    pub async fn plan(&self, changes: &[Change]) -> Result<Vec<Step>, ChainError> {
        let is_there = !self.provider().get_code_at(self.registry).await?.is_empty();
        if is_there {
            require_registry(self.provider(), self.registry).await?;
        }
        let mut steps = Vec::new();
        for &change in changes {
            let cost = match (is_there, change) {
                (true, _) if self.stands(change).await? => continue,
                (true, _) | (false, Change::Deploy) => Some(self.cost(change).await?),
                (false, _) => None,
            };
            steps.push(Step { change, cost });
        }
        Ok(steps)
    }

    /// Makes a change and waits until it is in a block. `None` when it stands already.
    ///
    /// # Errors
    /// As [`Self::plan`]; [`ChainError::CannotPay`].
    pub async fn make(&self, change: Change) -> Result<Option<Mined>, ChainError> {
        if change == Change::Deploy {
            return deploy::ensure_code(&self.account, self.registry).await;
        }
        if self.stands(change).await? {
            return Ok(None);
        }
        let (to, input) = self.call(change);
        self.account.transact(to, input).await.map(Some)
    }

    /// Whether the registry, which is there, is so already.
    async fn stands(&self, change: Change) -> Result<bool, ChainError> {
        let contract = self.contract();
        Ok(match change {
            Change::Deploy => true,
            Change::Grant { role, account } => contract.hasRole(role.id(), account).call().await?,
            Change::Revoke { role, account } => !contract.hasRole(role.id(), account).call().await?,
            Change::PinKeyManager(manager) => contract.keyManager().call().await? == manager,
            Change::Pause => contract.paused().call().await?,
            Change::Unpause => !contract.paused().call().await?,
        })
    }

    async fn cost(&self, change: Change) -> Result<Cost, ChainError> {
        if change == Change::Deploy {
            deploy::require_deployer(self.provider()).await?;
        }
        let (to, input) = self.call(change);
        let request = TransactionRequest::default().with_from(self.sender()).with_to(to).with_input(input);
        let gas = self.provider().estimate_gas(request).await?;
        let fees = self.provider().estimate_eip1559_fees().await?;
        let at_most = U256::from(gas.saturating_add(gas / 4)) * U256::from(fees.max_fee_per_gas);
        Ok(Cost { gas, at_most })
    }

    fn call(&self, change: Change) -> (Address, Bytes) {
        let input = match change {
            Change::Deploy => return (DEPLOYER, deploy::creation(self.sender())),
            Change::Grant { role, account } => grantRoleCall { role: role.id(), account }.abi_encode(),
            Change::Revoke { role, account } => revokeRoleCall { role: role.id(), account }.abi_encode(),
            Change::PinKeyManager(manager) => setKeyManagerCall { manager }.abi_encode(),
            Change::Pause => pauseCall {}.abi_encode(),
            Change::Unpause => unpauseCall {}.abi_encode(),
        };
        (self.registry, input.into())
    }

    fn provider(&self) -> &RootProvider {
        &self.account.provider
    }

    fn contract(&self) -> ZamaJobsRegistryInstance<&RootProvider> {
        ZamaJobsRegistry::new(self.registry, self.provider())
    }
}

impl ChainError {
    /// The account that the registry refused for want of a role.
    #[must_use]
    pub fn account_without_role(&self) -> Option<Address> {
        let Self::Reverted(RevertReason::Registry(reason)) = self else { return None };
        match reason.as_ref() {
            ZamaJobsRegistryErrors::AccessControlUnauthorizedAccount(refused) => Some(refused.account),
            _ => None,
        }
    }
}

async fn connect(admin: Admin<'_>) -> Result<Account, ChainError> {
    Account::connect(admin.rpc_url, admin.chain_id, admin.private_key, admin.timeout).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_words() {
        let account = Address::repeat_byte(0x11);
        let told = |change: Change| change.to_string();
        assert_eq!(
            told(Change::Grant { role: Role::Confirmer, account }),
            format!("grant CONFIRMER_ROLE to {account}")
        );
        assert_eq!(told(Change::Revoke { role: Role::Pauser, account }), format!("revoke PAUSER_ROLE of {account}"));
        assert_eq!(told(Change::Deploy), "deploy ZamaJobsRegistry");
    }
}
