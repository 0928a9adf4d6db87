//! Changes that an operator makes to a registry. Each is looked at and tried first, so that it can be told what will be
//! sent and what it may cost; one that stands already is not made again. What another account has to make is told as the
//! call that it is.

use std::fmt;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::providers::{Provider, RootProvider};
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry::{
    ZamaJobsRegistryErrors, ZamaJobsRegistryInstance, grantRoleCall, pauseCall, revokeRoleCall, setKeyManagerCall,
    unpauseCall,
};
use contracts::{DEPLOYMENT, ZamaJobsRegistry};

use crate::account::{Account, Mined, Place, Sending};
use crate::client::require_registry;
use crate::deploy::{self, Admin};
use crate::{ChainError, RevertReason, fees, sender};

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
    /// Put the registry of this first admin at its address.
    Deploy {
        admin: Address,
    },
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
            Self::Deploy { .. } => f.write_str("deploy ZamaJobsRegistry"),
            Self::Grant { role, account } => write!(f, "grant {} to {account}", role.name()),
            Self::Revoke { role, account } => write!(f, "revoke {} of {account}", role.name()),
            Self::PinKeyManager(manager) => write!(f, "pin the key manager {manager}"),
            Self::Pause => f.write_str("pause confirmation"),
            Self::Unpause => f.write_str("resume confirmation"),
        }
    }
}

/// What whoever makes a change has to send: no ether, only this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractCall {
    pub to: Address,
    pub data: Bytes,
}

impl Change {
    /// The call that makes the change at a registry; asks nobody.
    #[must_use]
    pub fn call(self, registry: Address) -> ContractCall {
        let data = match self {
            Self::Deploy { admin } => {
                return ContractCall { to: DEPLOYMENT.deployer, data: DEPLOYMENT.call(admin) };
            }
            Self::Grant { role, account } => grantRoleCall { role: role.id(), account }.abi_encode(),
            Self::Revoke { role, account } => revokeRoleCall { role: role.id(), account }.abi_encode(),
            Self::PinKeyManager(manager) => setKeyManagerCall { manager }.abi_encode(),
            Self::Pause => pauseCall {}.abi_encode(),
            Self::Unpause => unpauseCall {}.abi_encode(),
        };
        ContractCall { to: registry, data: data.into() }
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
    /// In wei, with the margin that is added to the estimate, at the highest fee that may be offered.
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
        let account = admin.account().await?;
        require_registry(&account.provider, registry).await?;
        Ok(Self { account, registry })
    }

    /// Of a registry that this account may have to deploy.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`], or the node is unavailable.
    pub async fn of_deployer(admin: Admin<'_>, registry: Address) -> Result<Self, ChainError> {
        Ok(Self { account: admin.account().await?, registry })
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

    /// How many of the sender's transactions wait at the node: what they change is not seen yet.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn waiting(&self) -> Result<u64, ChainError> {
        self.account.waiting().await
    }

    /// What is left to do of `changes`, in their order, each tried against the newest state. Sends nothing.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] when the account may not make a change; [`ChainError::NoDeployer`];
    /// [`ChainError::NotARegistry`] when something else is where the registry belongs; or the node is unavailable.
    pub async fn plan(&self, changes: &[Change], place: Place) -> Result<Vec<Step>, ChainError> {
        let is_there = self.is_there().await?;
        let mut steps = Vec::new();
        for change in self.outstanding(changes).await? {
            let cost = match (is_there, change) {
                (true, _) | (false, Change::Deploy { .. }) => Some(self.cost(change, place).await?),
                (false, _) => None,
            };
            steps.push(Step { change, cost });
        }
        Ok(steps)
    }

    /// Those of `changes` that do not stand yet, whoever may make them.
    ///
    /// # Errors
    /// [`ChainError::NotARegistry`] when something else is where the registry belongs; or the node is unavailable.
    pub async fn outstanding(&self, changes: &[Change]) -> Result<Vec<Change>, ChainError> {
        if !self.is_there().await? {
            return Ok(changes.to_vec());
        }
        require_registry(self.provider(), self.registry).await?;
        let mut outstanding = Vec::new();
        for &change in changes {
            if !self.stands(change).await? {
                outstanding.push(change);
            }
        }
        Ok(outstanding)
    }

    /// Makes a change and waits until it is in a block. `None` when it stands already.
    ///
    /// # Errors
    /// As [`Self::plan`]; [`ChainError::CannotPay`]; [`ChainError::NotMined`].
    pub async fn make(&self, change: Change, how: &Sending<'_>) -> Result<Option<Mined>, ChainError> {
        if let Change::Deploy { admin } = change {
            return deploy::ensure_code(&self.account, admin, how).await;
        }
        if self.stands(change).await? {
            return Ok(None);
        }
        let ContractCall { to, data } = change.call(self.registry);
        self.account.send(to, data, how).await.map(Some)
    }

    async fn is_there(&self) -> Result<bool, ChainError> {
        Ok(!self.provider().get_code_at(self.registry).await?.is_empty())
    }

    /// Whether the registry, which is there, is so already.
    async fn stands(&self, change: Change) -> Result<bool, ChainError> {
        let contract = self.contract();
        Ok(match change {
            Change::Deploy { .. } => true,
            Change::Grant { role, account } => contract.hasRole(role.id(), account).call().await?,
            Change::Revoke { role, account } => !contract.hasRole(role.id(), account).call().await?,
            Change::PinKeyManager(manager) => contract.keyManager().call().await? == manager,
            Change::Pause => contract.paused().call().await?,
            Change::Unpause => !contract.paused().call().await?,
        })
    }

    async fn cost(&self, change: Change, place: Place) -> Result<Cost, ChainError> {
        if matches!(change, Change::Deploy { .. }) {
            deploy::require_deployer(self.provider()).await?;
        }
        let ContractCall { to, data } = change.call(self.registry);
        let gas = sender::gas(self.provider(), self.sender(), to, data).await?;
        let offered = fees::market(self.provider()).await?.fees().max_fee_per_gas;
        let highest_fee = match place {
            Place::Last => offered,
            Place::First { cap } => offered.max(cap),
        };
        Ok(Cost { gas, at_most: U256::from(sender::with_margin(gas)) * U256::from(highest_fee) })
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
        assert_eq!(told(Change::Deploy { admin: account }), "deploy ZamaJobsRegistry");
    }

    #[test]
    fn a_change_is_a_call_that_anybody_can_read() {
        let (registry, account) = (Address::repeat_byte(0x22), Address::repeat_byte(0x11));
        let pause = Change::Pause.call(registry);
        assert_eq!((pause.to, pause.data.to_string().as_str()), (registry, "0x8456cb59"), "pause()");
        let grant = Change::Grant { role: Role::Confirmer, account }.call(registry);
        let expected = [vec![0x2f, 0x2f, 0xf1, 0x5d], Role::Confirmer.id().to_vec(), account.into_word().to_vec()];
        assert_eq!((grant.to, grant.data.to_vec()), (registry, expected.concat()), "grantRole(bytes32,address)");
        let deploy = Change::Deploy { admin: account }.call(registry);
        assert_eq!(deploy.to, DEPLOYMENT.deployer);
        assert!(deploy.data.ends_with(account.into_word().as_slice()), "the constructor's last argument");
    }
}
