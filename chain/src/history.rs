//! All that a registry ever confirmed, as its events tell it: what a database can be held against.

use alloy::consensus::TxEnvelope;
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{B256, Bytes, TxKind, keccak256};
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::{SolCall, SolEvent};
use contracts::ZamaJobsRegistry::{BatchConfirmed, confirmBatchCall};
use jobs::merkle::Entry;

use crate::{Block, ChainError, Fees, Node, SignedTx};

/// Nodes limit how many blocks one eth_getLogs may span.
const BLOCKS_PER_QUERY: u64 = 5_000;

/// A root that the registry confirmed, in whichever way: each of them has this one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmedBatch {
    pub root: B256,
    /// Without those words beyond 2^64 that only a foreign confirmer can have used: none of our indices is there.
    pub entries: Vec<Entry>,
    pub tx_hash: B256,
    pub block: Block,
}

/// What stands in a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub from_block: u64,
    /// The last block that was read: as deep as was asked for.
    pub to: Block,
    pub finalized: Option<Block>,
    /// In the order in which they were confirmed.
    pub batches: Vec<ConfirmedBatch>,
}

impl Node {
    /// Reads the registry's events from `from_block` to the newest block that is `depth` deep (1: the newest itself).
    ///
    /// # Errors
    /// The node is unavailable, or its chain changed while it was read: try again. The first block is beyond the last.
    pub async fn history(&self, from_block: u64, depth: u64) -> Result<History, ChainError> {
        let newest = self.newest().await?;
        let finalized = self.finalized().await?;
        let last = newest.number.saturating_sub(depth.saturating_sub(1));
        let to = self.canonical(last).await?.ok_or_else(|| changed(last))?;
        if from_block > to.number {
            let fault = format!("block {from_block} is beyond the newest that counts ({})", to.number);
            return Err(ChainError::Configuration(fault));
        }
        let mut batches = Vec::new();
        let mut from = from_block;
        while from <= to.number {
            let until = to.number.min(from.saturating_add(BLOCKS_PER_QUERY - 1));
            let filter = Filter::new()
                .address(self.registry)
                .event_signature(BatchConfirmed::SIGNATURE_HASH)
                .from_block(from)
                .to_block(until);
            batches.extend(self.provider.get_logs(&filter).await?.iter().filter_map(confirmed));
            from = until + 1;
        }
        // What was read block by block belongs together only if the last block is still the same.
        if self.canonical(last).await? != Some(to) {
            return Err(changed(last));
        }
        Ok(History { from_block, to, finalized, batches })
    }
}

impl Node {
    /// The transaction that confirmed a batch, as its sender signed it. `None` when it is none of those that a batcher
    /// sends, because somebody relayed the batch or confirmed a single job, or when the node does not have it.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn carrier(&self, batch: &ConfirmedBatch) -> Result<Option<SignedTx>, ChainError> {
        let Some(transaction) = self.provider.get_transaction_by_hash(batch.tx_hash).await? else { return Ok(None) };
        let TxEnvelope::Eip1559(signed) = transaction.inner.inner() else { return Ok(None) };
        let tx = signed.tx();
        let is_a_batcher_s = tx.to == TxKind::Call(self.registry)
            && confirmBatchCall::abi_decode(&tx.input).is_ok_and(|call| call.root == batch.root);
        let raw: Bytes = transaction.inner.inner().encoded_2718().into();
        let Ok(sender) = signed.signature().recover_address_from_prehash(&signed.signature_hash()) else {
            return Ok(None);
        };
        let (nonce, gas_limit) = (tx.nonce, tx.gas_limit);
        let fees = Fees { max_fee_per_gas: tx.max_fee_per_gas, max_priority_fee_per_gas: tx.max_priority_fee_per_gas };
        let carrier = SignedTx { hash: keccak256(&raw), raw, sender, nonce, gas_limit, fees };
        Ok(Some(carrier).filter(|carrier| is_a_batcher_s && carrier.hash == batch.tx_hash))
    }
}

fn changed(block: u64) -> ChainError {
    ChainError::Unavailable(format!("the chain changed at block {block} while it was read"))
}

fn confirmed(log: &Log) -> Option<ConfirmedBatch> {
    let (tx_hash, number, hash) = (log.transaction_hash?, log.block_number?, log.block_hash?);
    let event = BatchConfirmed::decode_log(&log.inner).ok().filter(|_| !log.removed)?;
    let entries = event.entries.iter().filter_map(|entry| Entry::try_from(entry).ok()).collect();
    Some(ConfirmedBatch { root: event.root, entries, tx_hash, block: Block { number, hash } })
}
