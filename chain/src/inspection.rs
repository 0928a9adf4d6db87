//! One look at chain, registry and signer, for operators.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::providers::Provider;

use crate::administration::Role;
use crate::{Block, ChainError, Node};

/// What a node says now.
#[derive(Clone, Debug)]
pub struct ChainView {
    pub chain_id: u64,
    pub head: Block,
    /// `None` on a chain that has none.
    pub finalized: Option<Block>,
    pub code: Code,
    /// `None` unless the code is the registry's.
    pub registry: Option<RegistryView>,
    pub signer: AccountView,
}

/// What stands at the registry's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Nothing,
    /// Another contract, or another version of ours.
    Another {
        /// keccak256 of the code.
        hash: B256,
    },
    Registry {
        /// keccak256 of the code, immutables included: it differs from chain to chain.
        hash: B256,
    },
}

/// How a registry is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryView {
    pub is_paused: bool,
    pub admin: Address,
    /// To whom the admin is handing over.
    pub next_admin: Option<Address>,
    pub key_manager: Option<Address>,
    pub signer_confirms: bool,
    pub signer_pauses: bool,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    pub address: Address,
    /// In wei.
    pub balance: U256,
    /// Transactions in blocks: the next nonce there.
    pub nonce: u64,
    /// With those that wait in the node's pool.
    pub nonce_pending: u64,
}

impl AccountView {
    /// Transactions that wait in the node's pool.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.nonce_pending.saturating_sub(self.nonce)
    }
}

impl Node {
    /// Looks at the chain, the registry and the account that confirms.
    ///
    /// # Errors
    /// The node is unavailable. That there is no registry is no error.
    pub async fn inspect(&self, signer: Address) -> Result<ChainView, ChainError> {
        let chain_id = self.chain_id().await?;
        let head = self.newest().await?;
        let finalized = self.finalized().await?;
        let code = self.provider.get_code_at(self.registry).await?;
        let code = match keccak256(&code) {
            _ if code.is_empty() => Code::Nothing,
            hash if contracts::is_registry_code(&code) => Code::Registry { hash },
            hash => Code::Another { hash },
        };
        let registry = match code {
            Code::Registry { .. } => Some(self.look_at_registry(signer).await?),
            Code::Nothing | Code::Another { .. } => None,
        };
        Ok(ChainView { chain_id, head, finalized, code, registry, signer: self.look_at_account(signer).await? })
    }

    /// Refuses an address that does not hold the registry's code.
    ///
    /// # Errors
    /// [`ChainError::NotARegistry`], or the node is unavailable.
    pub async fn require_registry(&self, at: Block) -> Result<(), ChainError> {
        let code = self.code(at).await?;
        if contracts::is_registry_code(&code) { Ok(()) } else { Err(ChainError::NotARegistry(self.registry)) }
    }

    /// Whether the index's bit is set now.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn is_confirmed(&self, index: u64) -> Result<bool, ChainError> {
        Ok(self.registry().isConfirmed(U256::from(index)).call().await?)
    }

    async fn look_at_registry(&self, signer: Address) -> Result<RegistryView, ChainError> {
        let contract = self.registry();
        let known = |address: Address| Some(address).filter(|address| !address.is_zero());
        Ok(RegistryView {
            is_paused: contract.paused().call().await?,
            admin: contract.defaultAdmin().call().await?,
            next_admin: known(contract.pendingDefaultAdmin().call().await?.newAdmin),
            key_manager: known(contract.keyManager().call().await?),
            signer_confirms: contract.hasRole(Role::Confirmer.id(), signer).call().await?,
            signer_pauses: contract.hasRole(Role::Pauser.id(), signer).call().await?,
        })
    }

    async fn look_at_account(&self, address: Address) -> Result<AccountView, ChainError> {
        Ok(AccountView {
            address,
            balance: self.provider.get_balance(address).await?,
            nonce: self.provider.get_transaction_count(address).latest().await?,
            nonce_pending: self.provider.get_transaction_count(address).pending().await?,
        })
    }
}
