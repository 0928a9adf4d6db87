//! Asking several nodes at once: each has until the same moment, and those that are behind the others are left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy::primitives::{Address, B256, keccak256};
use chain::{Block, ChainError, Node};
use futures::future::{join, join_all, try_join, try_join3};
use tokio::time::{Instant, timeout_at};

use super::request::Asked;
use super::witness::{Finality, Witness};

/// Longest time for a node to say how far it is.
const HEIGHTS: Duration = Duration::from_secs(4);
/// Longest time for everything; the API waits for less than a minute.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// Blocks that a node may be behind the median. What is settled is settled on the one that is furthest behind, so that
/// a node that stopped would hold back every new result.
const MOST_BEHIND: u64 = 16;

/// How often a node was of no use since the process began.
static OF_NO_USE: AtomicU64 = AtomicU64::new(0);

/// What one node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// The settled block's hash.
    pub(super) block: B256,
    pub(super) code: B256,
    pub(super) is_our_registry: bool,
    pub(super) settled: Sight,
    pub(super) newest: Sight,
}

/// What a node says about one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) knows_batch: bool,
    pub(super) includes: bool,
    /// True for the submitter itself.
    pub(super) has_access: bool,
}

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heights {
    pub(super) newest: Block,
    /// Number of the newest block that does not change any more, as this node sees it.
    pub(super) settled: Option<u64>,
}

/// A node of `kms.rpc_urls`, by its place there: an address may hold a secret.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) place: usize,
    pub(super) node: &'a Node,
    pub(super) heights: Heights,
}

impl Witness {
    /// The nodes that answer and are not behind.
    pub(super) async fn current(&self, began: Instant) -> Vec<Known<'_>> {
        let asked = self.nodes.iter().enumerate().map(|(place, node)| async move {
            let heights = ask(place, began + HEIGHTS, self.heights(node)).await?;
            Some(Known { place, node, heights })
        });
        let known: Vec<Known<'_>> = join_all(asked).await.into_iter().flatten().collect();
        let least = least_height(known.iter().map(|known| known.heights.newest.number).collect());
        let is_current = |known: &Known<'_>| {
            let newest = known.heights.newest.number;
            if newest < least {
                let why = format!("its newest block {newest} is more than {MOST_BEHIND} behind the others'");
                of_no_use::<()>(known.place, &why);
            }
            newest >= least
        };
        known.into_iter().filter(is_current).collect()
    }

    async fn heights(&self, node: &Node) -> Result<Heights, ChainError> {
        let finalized = async {
            match self.finality {
                Finality::Finalized => node.finalized().await,
                Finality::Depth(_) => Ok(None),
            }
        };
        let (actual, newest, finalized) = try_join3(node.chain_id(), node.newest(), finalized).await?;
        if actual != self.chain_id {
            return Err(ChainError::WrongChain { expected: self.chain_id, actual });
        }
        let settled = match self.finality {
            Finality::Finalized => finalized.map(|block| block.number),
            Finality::Depth(depth) => newest.number.checked_sub(depth.saturating_sub(1)),
        };
        Ok(Heights { newest, settled })
    }
}

/// What the nodes say about the request, each about the settled block and its own newest.
pub(super) async fn views(
    nodes: &[Known<'_>],
    began: Instant,
    settled: u64,
    asked: &Asked,
    signer: Address,
) -> Vec<View> {
    let views = nodes.iter().map(|known| {
        let view = view(known.node, settled, known.heights.newest, asked, signer);
        ask(known.place, began + DEADLINE, view)
    });
    join_all(views).await.into_iter().flatten().collect()
}

/// What the nodes say about a grant at their newest blocks.
pub(super) async fn grants(nodes: &[Known<'_>], began: Instant, leaf_hash: B256, account: Address) -> Vec<bool> {
    let grants = nodes.iter().map(|known| {
        let granted = known.node.has_access(known.heights.newest, leaf_hash, account);
        ask(known.place, began + DEADLINE, granted)
    });
    join_all(grants).await.into_iter().flatten().collect()
}

async fn view(node: &Node, settled: u64, newest: Block, asked: &Asked, signer: Address) -> Result<View, ChainError> {
    let block = node.canonical(settled).await?;
    let block = block.ok_or_else(|| ChainError::Unavailable(format!("the node does not know block {settled}")))?;
    let seen = |at| Box::pin(sight(node, at, asked, signer));
    let sights = try_join(seen(block), seen(newest));
    let (code, sights) = join(node.code(block), sights).await;
    let code = code?;
    let is_our_registry = contracts::is_registry_code(&code);
    let (settled, newest) = match is_our_registry {
        true => sights?,
        // Where there is no registry, no question about one has an answer.
        false => {
            let nothing = Sight { knows_batch: false, includes: false, has_access: false };
            (nothing, nothing)
        }
    };
    Ok(View { block: block.hash, code: keccak256(&code), is_our_registry, settled, newest })
}

async fn sight(node: &Node, at: Block, asked: &Asked, signer: Address) -> Result<Sight, ChainError> {
    let has_access =
        async { Ok(signer == asked.leaf.submitter || node.has_access(at, asked.leaf.hash(), signer).await?) };
    let (knows_batch, includes, has_access) = try_join3(
        node.is_batch(at, asked.inclusion.root),
        node.includes(at, &asked.leaf, &asked.inclusion),
        has_access,
    )
    .await?;
    Ok(Sight { knows_batch, includes, has_access })
}

/// Height below which a node is behind. Of an even number of nodes the lower middle one counts: whoever boasts of blocks
/// that nobody else has shuts no honest node out.
fn least_height(mut heights: Vec<u64>) -> u64 {
    heights.sort_unstable();
    let middle = heights.len().saturating_sub(1) / 2;
    heights.get(middle).copied().unwrap_or_default().saturating_sub(MOST_BEHIND)
}

/// Whether two nodes are so far apart that one of them must be behind, and nobody can tell which.
pub(super) fn are_apart(nodes: &[Known<'_>]) -> bool {
    let heights = || nodes.iter().map(|known| known.heights.newest.number);
    heights().max().zip(heights().min()).is_some_and(|(most, least)| most - least > MOST_BEHIND)
}

/// The node's answer, if it comes in time.
async fn ask<T>(place: usize, by: Instant, answer: impl Future<Output = Result<T, ChainError>>) -> Option<T> {
    match timeout_at(by, answer).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => of_no_use(place, &error.to_string()),
        Err(_) => of_no_use(place, "it is too slow"),
    }
}

fn of_no_use<T>(place: usize, why: &str) -> Option<T> {
    let times = OF_NO_USE.fetch_add(1, Ordering::Relaxed) + 1;
    let place = place + 1;
    tracing::warn!(
        node.place = place,
        node.of_no_use_total = times,
        "node {place} of kms.rpc_urls is of no use: {why}"
    );
    None
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn who_is_behind_the_middle_is_left_out_and_a_boaster_shuts_nobody_out() {
        let least = |heights: &[u64]| least_height(heights.to_vec());
        assert_eq!(least(&[100, 20, 101]), 100 - MOST_BEHIND, "one of three stopped");
        assert_eq!(least(&[100, u64::MAX, 101]), 101 - MOST_BEHIND, "one of three boasts");
        assert_eq!(least(&[100, u64::MAX]), 100 - MOST_BEHIND, "of two nobody knows who boasts");
        assert_eq!((least(&[3]), least(&[])), (0, 0));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_node_beyond_the_moment() {
        assert_eq!(ask::<()>(0, Instant::now(), pending()).await, None);
        assert_eq!(ask(0, Instant::now() + DEADLINE, async { Ok(7) }).await, Some(7));
    }
}
