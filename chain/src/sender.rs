//! Sending batches as one signer, in steps between which the caller writes down what must not be lost.
//!
//! ```text
//! estimate -> (nonce) -> build_and_sign -> (write ahead) -> broadcast -> mined, search_confirmation
//!                           sign_again -> (write ahead) -> broadcast     the same nonce, higher fees
//! ```
//! The nonce is the caller's to give, who knows which ones were signed and written down. It is taken only after an
//! estimate passed, so that a batch which would revert leaves no gap. One that another program left is closed with a
//! [`Sender::sign_filler`].

use alloy::eips::BlockId;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry::confirmBatchCall;
use jobs::merkle::Entry;

use crate::fees::{self, Market};
use crate::signer::Signer;
use crate::signing::{self, Call, SignedTx};
use crate::{ChainClient, ChainError, Fees, Standing, confirmation};

/// Gas of a transaction that does nothing.
const BARE_GAS: u64 = 21_000;

/// A transaction that would pass now: how much gas it may use and what a unit should pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The node's estimate and a quarter.
    pub gas_limit: u64,
    /// What the market asks; a cap is the caller's to apply.
    pub fees: Fees,
}

/// A transaction in a canonical block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    pub block_number: u64,
    pub block_hash: B256,
    pub outcome: Outcome,
}

/// What a transaction in a block did to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The registry emitted an event.
    Confirmed,
    /// It reverted, or there was no registry.
    Nothing,
}

/// One signer that holds CONFIRMER_ROLE.
#[derive(Clone)]
pub struct Sender {
    client: ChainClient,
    signer: Signer,
}

impl Sender {
    /// A sender for the signer's account.
    pub fn new(client: ChainClient, signer: Signer) -> Self {
        Self { client, signer }
    }

    /// The client to read with.
    pub fn client(&self) -> &ChainClient {
        &self.client
    }

    /// The signer's address.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Tries the batch against the newest state.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] says why the registry would refuse it; or the node is unavailable.
    pub async fn estimate(&self, root: B256, entries: &[Entry]) -> Result<Estimate, ChainError> {
        let registry = self.client.config().registry;
        estimate(&self.client.provider, self.address(), registry, confirm_batch(root, entries)).await
    }

    /// What the account has, in wei.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn balance(&self) -> Result<U256, ChainError> {
        Ok(self.client.provider.get_balance(self.address()).await?)
    }

    /// Refuses a transaction that the account cannot pay, before it gets a nonce that later ones would wait behind.
    ///
    /// # Errors
    /// [`ChainError::CannotPay`], or the node is unavailable.
    pub async fn require_means(&self, gas_limit: u64, fees: Fees) -> Result<(), ChainError> {
        require_means(&self.client.provider, self.address(), gas_limit, fees).await
    }

    /// As [`Self::require_means`], for the transaction in `raw` with other fees.
    ///
    /// # Errors
    /// The bytes are none of [`Self::build_and_sign`], or as there.
    pub async fn require_means_again(&self, raw: &[u8], fees: Fees) -> Result<(), ChainError> {
        self.require_means(signing::gas_limit(raw)?, fees).await
    }

    /// What a unit of gas costs now.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn market(&self) -> Result<Market, ChainError> {
        fees::market(&self.client.provider).await
    }

    /// Signs the batch; sends nothing.
    ///
    /// # Errors
    /// The signer cannot sign.
    pub async fn build_and_sign(
        &self,
        root: B256,
        entries: &[Entry],
        nonce: u64,
        estimate: Estimate,
    ) -> Result<SignedTx, ChainError> {
        let config = self.client.config();
        let call = Call {
            chain_id: config.chain_id,
            nonce,
            to: config.registry,
            input: confirm_batch(root, entries),
            gas_limit: estimate.gas_limit,
            fees: estimate.fees,
        };
        signing::sign(&self.signer, call).await
    }

    /// Signs the transaction in `raw` once more, with other fees: whichever of both is mined uses the nonce up.
    ///
    /// # Errors
    /// The bytes are none of [`Self::build_and_sign`], or the signer cannot sign.
    pub async fn sign_again(&self, raw: &[u8], fees: Fees) -> Result<SignedTx, ChainError> {
        signing::sign_again(&self.signer, raw, fees).await
    }

    /// Signs a transaction that does nothing but use a nonce up: later ones wait for it.
    ///
    /// # Errors
    /// The signer cannot sign.
    pub async fn sign_filler(&self, nonce: u64, fees: Fees) -> Result<SignedTx, ChainError> {
        let (chain_id, to) = (self.client.config().chain_id, self.address());
        let call = Call { chain_id, nonce, to, input: Bytes::new(), gas_limit: BARE_GAS, fees };
        signing::sign(&self.signer, call).await
    }

    /// Where a transaction was mined and what it did; `None` while no canonical block has it.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn landing(&self, transaction: B256) -> Result<Option<Landing>, ChainError> {
        let provider = &self.client.provider;
        let Some(receipt) = provider.get_transaction_receipt(transaction).await? else { return Ok(None) };
        let (Some(block_number), Some(block_hash)) = (receipt.block_number, receipt.block_hash) else {
            return Ok(None);
        };
        if confirmation::standing(provider, block_number, block_hash).await? != Standing::Canonical {
            return Ok(None);
        }
        let registry = self.client.config().registry;
        let confirmed = receipt.status() && receipt.logs().iter().any(|log| log.address() == registry);
        let outcome = if confirmed { Outcome::Confirmed } else { Outcome::Nothing };
        Ok(Some(Landing { block_number, block_hash, outcome }))
    }

    /// Hands a signed transaction to the node. Repeating it is harmless: a transaction that the node has already is
    /// success.
    ///
    /// # Errors
    /// [`ChainError::Rejected`] with [`crate::Rejection::NonceTooLow`] when this or another transaction with the nonce
    /// is in a block: look for the confirmation. Else the node is unavailable or wants something else.
    pub async fn broadcast(&self, raw: &[u8]) -> Result<(), ChainError> {
        broadcast(&self.client.provider, raw).await.map(drop)
    }
}

pub(crate) async fn estimate(
    provider: &RootProvider,
    from: Address,
    to: Address,
    input: Bytes,
) -> Result<Estimate, ChainError> {
    let gas = gas(provider, from, to, input).await?;
    let fees = fees::market(provider).await?.fees();
    Ok(Estimate { gas_limit: with_margin(gas), fees })
}

/// Refuses what the account could not pay.
pub(crate) async fn require_means(
    provider: &RootProvider,
    account: Address,
    gas_limit: u64,
    fees: Fees,
) -> Result<(), ChainError> {
    let needed = U256::from(gas_limit) * U256::from(fees.max_fee_per_gas);
    let balance = provider.get_balance(account).await?;
    if balance < needed { Err(ChainError::CannotPay { account, balance, needed }) } else { Ok(()) }
}

/// The node's estimate for the newest block.
pub(crate) async fn gas(provider: &RootProvider, from: Address, to: Address, input: Bytes) -> Result<u64, ChainError> {
    let request = TransactionRequest::default().with_from(from).with_to(to).with_input(input);
    // alloy's own choice is the pending block, in which a transaction of ours that waits looks as if it had passed.
    Ok(provider.estimate_gas(request).block(BlockId::latest()).await?)
}

/// A quarter more than the node's estimate: the state may change until a block has the transaction.
pub(crate) fn with_margin(gas: u64) -> u64 {
    gas.saturating_add(gas / 4)
}

/// A node has the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Had {
    Now,
    /// It had it already.
    Before,
}

pub(crate) async fn broadcast(provider: &RootProvider, raw: &[u8]) -> Result<Had, ChainError> {
    match provider.send_raw_transaction(raw).await {
        Ok(_) => Ok(Had::Now),
        Err(error) if is_known(&error.to_string()) => Ok(Had::Before),
        Err(error) => Err(error.into()),
    }
}

/// geth says "already known", anvil "transaction already imported", others "known transaction".
fn is_known(message: &str) -> bool {
    let message = message.to_lowercase();
    ["already known", "already imported", "known transaction"].iter().any(|text| message.contains(text))
}

fn confirm_batch(root: B256, entries: &[Entry]) -> Bytes {
    confirmBatchCall { root, entries: entries.iter().map(Into::into).collect() }.abi_encode().into()
}
