//! Sending batches as one signer, in steps between which the caller writes down what must not be lost.
//!
//! ```text
//! estimate -> next_nonce -> build_and_sign -> (write ahead) -> broadcast -> find_confirmation ...
//! ```
//! A nonce is taken only after an estimate passed, so that a batch which would revert leaves no gap.

use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry::confirmBatchCall;
use jobs::merkle::Entry;

use crate::client::TransactionCount;
use crate::signing::{self, Call, SignedTx};
use crate::{ChainClient, ChainError, Fees};

/// A transaction that would pass now: how much gas it may use and what a unit should pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The node's estimate and a quarter.
    pub gas_limit: u64,
    pub fees: Fees,
}

/// One signer that holds CONFIRMER_ROLE.
#[derive(Clone)]
pub struct Sender {
    client: ChainClient,
    signer: PrivateKeySigner,
}

impl Sender {
    /// A sender with this 0x-hex private key.
    ///
    /// # Errors
    /// The key is not one.
    pub fn new(client: ChainClient, private_key: &str) -> Result<Self, ChainError> {
        Ok(Self { client, signer: signing::signer(private_key)? })
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

    /// The signer's next nonce as the node sees it. Nonces that were signed and written down but may not have reached
    /// the node are the caller's to step over.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn next_nonce(&self, _after: &Estimate) -> Result<u64, ChainError> {
        self.client.transaction_count(self.address(), TransactionCount::Pending).await
    }

    /// Signs the batch; sends nothing. A replacement has the same nonce and [`Fees::bumped`] fees.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn build_and_sign(
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
        signing::sign(&self.signer, call)
    }

    /// Hands a signed transaction to the node. Repeating it is harmless: a transaction that the node has already is
    /// success.
    ///
    /// # Errors
    /// [`ChainError::Rejected`] with [`crate::Rejection::NonceTooLow`] when this or another transaction with the nonce
    /// is in a block: look for the confirmation. Else the node is unavailable or wants something else.
    pub async fn broadcast(&self, raw: &[u8]) -> Result<(), ChainError> {
        broadcast(&self.client.provider, raw).await
    }
}

pub(crate) async fn estimate(
    provider: &RootProvider,
    from: Address,
    to: Address,
    input: Bytes,
) -> Result<Estimate, ChainError> {
    let request = TransactionRequest::default().with_from(from).with_to(to).with_input(input);
    let gas = provider.estimate_gas(request).await?;
    let fees = provider.estimate_eip1559_fees().await?;
    Ok(Estimate { gas_limit: gas.saturating_add(gas / 4), fees: fees.into() })
}

pub(crate) async fn broadcast(provider: &RootProvider, raw: &[u8]) -> Result<(), ChainError> {
    match provider.send_raw_transaction(raw).await {
        Ok(_) => Ok(()),
        Err(error) if is_known(&error.to_string()) => Ok(()),
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
