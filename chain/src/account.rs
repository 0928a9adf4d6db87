//! An account that pays for its own transactions: one at a time, each waited for.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, RootProvider};
use tokio::time::{Instant, sleep};

use crate::signer::Signer;
use crate::signing::{self, Call};
use crate::{ChainError, Rejection, RevertReason, rpc, sender};

/// How long a transaction may take to get into a block.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// A key on one chain.
pub struct Account {
    pub(crate) provider: RootProvider,
    chain_id: u64,
    signer: Signer,
}

/// A transaction in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    pub tx_hash: B256,
    pub block_number: u64,
    pub gas_used: u64,
    /// What the account paid, in wei.
    pub cost: U256,
}

impl Account {
    /// Connects to the first healthy node of a list, separated by commas, that serves the right chain.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`], a key (0x-hex) or URL that is none, or the node is unavailable.
    pub async fn connect(
        rpc_url: &str,
        chain_id: u64,
        private_key: &str,
        timeout: Duration,
    ) -> Result<Self, ChainError> {
        let provider = rpc::connect(rpc_url, chain_id, timeout).await?;
        Ok(Self { provider, chain_id, signer: Signer::private_key(private_key)? })
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Sends one transaction and waits until it is in a block.
    pub(crate) async fn transact(&self, to: Address, input: Bytes) -> Result<Mined, ChainError> {
        let from = self.signer.address();
        let estimate = sender::estimate(&self.provider, from, to, input.clone()).await?;
        let needed = U256::from(estimate.gas_limit) * U256::from(estimate.fees.max_fee_per_gas);
        let balance = self.provider.get_balance(from).await?;
        if balance < needed {
            return Err(ChainError::CannotPay { account: from, balance, needed });
        }
        let nonce = self.provider.get_transaction_count(from).pending().await?;
        let call =
            Call { chain_id: self.chain_id, nonce, to, input, gas_limit: estimate.gas_limit, fees: estimate.fees };
        let signed = signing::sign(&self.signer, call).await?;
        sender::broadcast(&self.provider, &signed.raw).await?;
        let deadline = Instant::now() + INCLUSION_TIMEOUT;
        loop {
            match self.provider.get_transaction_receipt(signed.hash).await? {
                Some(receipt) if receipt.status() => {
                    return Ok(Mined {
                        tx_hash: signed.hash,
                        block_number: receipt.block_number.unwrap_or_default(),
                        gas_used: receipt.gas_used,
                        cost: U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price),
                    });
                }
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
