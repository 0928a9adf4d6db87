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
/// A search ends after so many, so that one batch whose event stands far back holds up no other.
const QUERIES_PER_SEARCH: usize = 5;

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

/// Which blocks to look for an event in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The oldest.
    pub from: u64,
    /// The newest; `None` is the chain's own.
    pub to: Option<u64>,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    Found(Confirmed),
    /// None of the blocks has the event.
    Nothing,
    /// The newest of the blocks do not have it; this one and older ones were not looked at: another search may.
    Unfinished {
        to: u64,
    },
}

/// Looks for `root`'s event in the newest 25,000 blocks of a stretch. A set bit is never taken for it.
pub(crate) async fn search(
    provider: &RootProvider,
    registry: Address,
    root: B256,
    stretch: Stretch,
) -> Result<Search, ChainError> {
    let newest = provider.get_block_number().await?;
    // Newest first: a batch is asked for soon after it was sent.
    let mut to = stretch.to.map_or(newest, |to| to.min(newest));
    for _ in 0..QUERIES_PER_SEARCH {
        if to < stretch.from {
            return Ok(Search::Nothing);
        }
        let from = stretch.from.max(to.saturating_sub(BLOCKS_PER_QUERY - 1));
        let filter = Filter::new()
            .address(registry)
            .event_signature(BatchConfirmed::SIGNATURE_HASH)
            .topic1(root)
            .from_block(from)
            .to_block(to);
        for log in provider.get_logs(&filter).await? {
            if let Some(confirmed) = examine(provider, registry, root, &log, newest).await? {
                return Ok(Search::Found(confirmed));
            }
        }
        let Some(older) = from.checked_sub(1) else { return Ok(Search::Nothing) };
        to = older;
    }
    Ok(if to < stretch.from { Search::Nothing } else { Search::Unfinished { to } })
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

#[cfg(test)]
mod tests {
    use alloy::primitives::U64;
    use alloy::providers::ProviderBuilder;
    use alloy::providers::mock::Asserter;

    use super::*;

    /// A chain of 60,000 blocks without any event, which answers as many questions for logs as are asked in vain.
    async fn search_of(stretch: Stretch, questions: usize) -> Search {
        let node = Asserter::new();
        node.push_success(&U64::from(60_000));
        for _ in 0..questions {
            node.push_success(&Vec::<Log>::new());
        }
        let provider = ProviderBuilder::default().connect_mocked_client(node.clone());
        let search = search(&provider, Address::ZERO, B256::ZERO, stretch).await.unwrap();
        assert!(node.read_q().is_empty(), "fewer questions");
        search
    }

    #[tokio::test]
    async fn a_search_ends_after_a_few_questions_and_says_where_to_go_on() {
        let stretch = |from, to| Stretch { from, to };
        assert_eq!(search_of(stretch(0, None), 5).await, Search::Unfinished { to: 35_000 });
        assert_eq!(search_of(stretch(0, Some(35_000)), 5).await, Search::Unfinished { to: 10_000 });
        assert_eq!(search_of(stretch(0, Some(10_000)), 3).await, Search::Nothing);
        assert_eq!(search_of(stretch(35_001, None), 5).await, Search::Nothing, "all of it was looked at");
        assert_eq!(search_of(stretch(59_000, Some(70_000)), 1).await, Search::Nothing, "no further than the newest");
        assert_eq!(search_of(stretch(60_001, None), 0).await, Search::Nothing);
    }
}
