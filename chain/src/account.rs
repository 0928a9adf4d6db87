//! An account that pays for its own transactions: one at a time, each waited for.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionReceipt;
use tokio::time::{Instant, sleep};

use crate::sender::{self, Had};
use crate::signer::Signer;
use crate::signing::{self, Call, SignedTx};
use crate::{ChainError, Estimate, Fees, Rejection, RevertReason, rpc};

/// How long a transaction may take to get into a block.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
/// Pause when the node does not answer.
const TROUBLE: Duration = Duration::from_secs(1);

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

/// Which nonce a transaction takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind all of the account's that wait at the node.
    Last,
    /// The next one that a block takes: whatever waits there is replaced.
    First {
        /// The most that a unit of gas may cost, in wei, to outbid it.
        cap: u128,
    },
}

/// How a transaction is sent and waited for.
pub struct Sending<'a> {
    pub place: Place,
    /// How long to wait for its block.
    pub patience: Duration,
    /// Hears of it as soon as a node has it, or may have it, before it is waited for.
    pub told: &'a (dyn Fn(&SignedTx) + Sync),
}

impl Default for Sending<'_> {
    fn default() -> Self {
        Self { place: Place::Last, patience: INCLUSION_TIMEOUT, told: &|_: &SignedTx| () }
    }
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
        Self::of(Signer::private_key(private_key)?, rpc_url, chain_id, timeout).await
    }

    /// The same, whoever keeps the key.
    pub(crate) async fn of(
        signer: Signer,
        rpc_url: &str,
        chain_id: u64,
        timeout: Duration,
    ) -> Result<Self, ChainError> {
        let provider = rpc::connect(rpc_url, chain_id, timeout).await?;
        Ok(Self { provider, chain_id, signer })
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// How many of its transactions wait at the node.
    pub(crate) async fn waiting(&self) -> Result<u64, ChainError> {
        let in_blocks = self.provider.get_transaction_count(self.address()).latest().await?;
        let with_waiting = self.provider.get_transaction_count(self.address()).pending().await?;
        Ok(with_waiting.saturating_sub(in_blocks))
    }

    /// Sends one transaction behind those that wait and waits until it is in a block.
    pub(crate) async fn transact(&self, to: Address, input: Bytes) -> Result<Mined, ChainError> {
        self.send(to, input, &Sending::default()).await
    }

    /// Sends one transaction and waits until it is in a block. A node that goes away meanwhile is waited for, too: the
    /// transaction is on its way.
    pub(crate) async fn send(&self, to: Address, input: Bytes, how: &Sending<'_>) -> Result<Mined, ChainError> {
        let Estimate { gas_limit, fees } = sender::estimate(&self.provider, self.address(), to, input.clone()).await?;
        self.require_means(gas_limit, fees).await?;
        let counted = self.provider.get_transaction_count(self.address());
        let nonce = match how.place {
            Place::Last => counted.pending().await?,
            Place::First { .. } => counted.latest().await?,
        };
        let call = Call { chain_id: self.chain_id, nonce, to, input, gas_limit, fees };
        let signed = signing::sign(&self.signer, call).await?;
        let sent = match how.place {
            Place::Last => self.hand_over(&signed, how).await.map(|_| signed)?,
            Place::First { cap } => Box::pin(self.outbid(signed, cap, how)).await?,
        };
        self.mined(&sent, how.patience).await
    }

    async fn hand_over(&self, signed: &SignedTx, how: &Sending<'_>) -> Result<Had, ChainError> {
        let handed_over = sender::broadcast(&self.provider, &signed.raw).await;
        if matches!(handed_over, Ok(Had::Now) | Err(ChainError::Unavailable(_))) {
            (how.told)(signed);
        }
        handed_over
    }

    async fn require_means(&self, gas_limit: u64, fees: Fees) -> Result<(), ChainError> {
        sender::require_means(&self.provider, self.address(), gas_limit, fees).await
    }

    /// Hands it over at ever higher fees, until the node prefers it to what has the nonce. The same transaction, which
    /// waits there for its fees are today's still, is outbid too.
    async fn outbid(&self, mut signed: SignedTx, cap: u128, how: &Sending<'_>) -> Result<SignedTx, ChainError> {
        loop {
            let error = match self.hand_over(&signed, how).await {
                Ok(Had::Now) => return Ok(signed),
                Ok(Had::Before) => ChainError::Configuration(format!(
                    "the transaction waits already, at {} wei a gas, and chain.fee_cap_gwei allows no more",
                    signed.fees.max_fee_per_gas
                )),
                Err(error @ ChainError::Rejected { rejection: Rejection::Underpriced, .. }) => error,
                Err(error) => return Err(error),
            };
            let Some(fees) = signed.fees.bumped(cap) else { return Err(error) };
            self.require_means(signed.gas_limit, fees).await?;
            signed = signing::sign_again(&self.signer, &signed.raw, fees).await?;
        }
    }

    async fn mined(&self, sent: &SignedTx, patience: Duration) -> Result<Mined, ChainError> {
        let deadline = Instant::now() + patience;
        loop {
            let pause = match self.provider.get_transaction_receipt(sent.hash).await.map_err(ChainError::from) {
                Ok(Some(receipt)) => return outcome(&receipt),
                Ok(None) => POLL,
                Err(error) if error.is_perhaps_the_nodes() => TROUBLE,
                Err(error) => return Err(error),
            };
            if Instant::now() + pause > deadline {
                return Err(ChainError::NotMined { tx_hash: sent.hash, account: sent.sender, nonce: sent.nonce });
            }
            sleep(pause).await;
        }
    }
}

fn outcome(receipt: &TransactionReceipt) -> Result<Mined, ChainError> {
    let tx_hash = receipt.transaction_hash;
    if !receipt.status() {
        return Err(ChainError::Reverted(RevertReason::Other(format!("transaction {tx_hash}"))));
    }
    Ok(Mined {
        tx_hash,
        block_number: receipt.block_number.unwrap_or_default(),
        gas_used: receipt.gas_used,
        cost: U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price),
    })
}
