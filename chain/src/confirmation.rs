//! Where a root's BatchConfirmed event stands, and how safely.

use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;
use contracts::ZamaJobsRegistry::BatchConfirmed;
use jobs::merkle::Entry;

use crate::ChainError;

/// Nodes limit how many blocks one eth_getLogs may span.
const BLOCKS_PER_QUERY: u64 = 5_000;

/// A root's event in a canonical block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub tx_hash: B256,
    pub block_number: u64,
    pub block_hash: B256,
    /// Blocks from the event's to the newest, both included: 1 when it stands in the newest.
    pub depth: u64,
    /// Whether the node counts the block as finalized.
    pub finalized: bool,
    /// Indices that the event names.
    pub entries: Vec<Entry>,
}

/// Looks for `root`'s event from `from_block` on. A set bit is never taken for it.
pub(crate) async fn find(
    provider: &RootProvider,
    registry: Address,
    root: B256,
    from_block: u64,
) -> Result<Option<Confirmed>, ChainError> {
    let newest = provider.get_block_number().await?;
    // Newest first: a batch is asked for soon after it was sent.
    let mut to = newest;
    while to >= from_block {
        let from = from_block.max(to.saturating_sub(BLOCKS_PER_QUERY - 1));
        let filter = Filter::new()
            .address(registry)
            .event_signature(BatchConfirmed::SIGNATURE_HASH)
            .topic1(root)
            .from_block(from)
            .to_block(to);
        for log in provider.get_logs(&filter).await? {
            if let Some(confirmed) = examine(provider, registry, root, &log, newest).await? {
                return Ok(Some(confirmed));
            }
        }
        if from == 0 {
            break;
        }
        to = from - 1;
    }
    Ok(None)
}

/// The event in `log`, if it is the registry's for `root` and its block is canonical now.
async fn examine(
    provider: &RootProvider,
    registry: Address,
    root: B256,
    log: &Log,
    newest: u64,
) -> Result<Option<Confirmed>, ChainError> {
    let (Some(tx_hash), Some(block_number), Some(block_hash)) =
        (log.transaction_hash, log.block_number, log.block_hash)
    else {
        return Ok(None);
    };
    let Some(entries) = event_entries(registry, root, log) else { return Ok(None) };
    if log.removed || standing(provider, block_number, block_hash).await? != Standing::Canonical {
        return Ok(None);
    }
    let finalized = finalized_block(provider).await?.is_some_and(|finalized| block_number <= finalized);
    let depth = newest.saturating_sub(block_number) + 1;
    Ok(Some(Confirmed { tx_hash, block_number, block_hash, depth, finalized, entries }))
}

/// The entries of the registry's BatchConfirmed event for `root`; `None` when `log` is anything else.
pub(crate) fn event_entries(registry: Address, root: B256, log: &Log) -> Option<Vec<Entry>> {
    if log.address() != registry {
        return None;
    }
    let event = BatchConfirmed::decode_log(&log.inner).ok()?;
    if event.root != root {
        return None;
    }
    event.entries.iter().map(|entry| Entry::try_from(entry).ok()).collect()
}

/// What a node knows of a block that was canonical once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Canonical,
    /// Another block has its number: a reorganisation took it away.
    Replaced,
    /// The node has no block of its number: it is behind, or its chain is shorter than it was.
    Unknown,
}

/// How the block of this number and hash stands.
pub(crate) async fn standing(provider: &RootProvider, number: u64, hash: B256) -> Result<Standing, ChainError> {
    let block = provider.get_block_by_number(BlockNumberOrTag::Number(number)).await?;
    Ok(match block {
        Some(block) if block.header.hash == hash => Standing::Canonical,
        Some(_) => Standing::Replaced,
        None => Standing::Unknown,
    })
}

/// Number of the newest finalized block; `None` on a chain that has none yet or does not know finality.
pub(crate) async fn finalized_block(provider: &RootProvider) -> Result<Option<u64>, ChainError> {
    match provider.get_block_by_number(BlockNumberOrTag::Finalized).await.map_err(ChainError::from) {
        Ok(block) => Ok(block.map(|block| block.header.number)),
        Err(unavailable @ ChainError::Unavailable(_)) => Err(unavailable),
        Err(_) => Ok(None),
    }
}
