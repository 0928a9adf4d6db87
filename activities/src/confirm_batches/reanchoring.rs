//! A chain that went back: batches whose block is gone are sent again, the same root and entries.
//!
//! A node that does not know a block yet is behind and takes nothing back. Only a development chain forgets whole blocks,
//! and finality with them.

use anyhow::Result;
use chain::{ChainClient, Standing};
use store::batches::{self, Horizon};

use super::ConfirmBatches;

/// Batches read in one go.
const LOOK_BACK: i64 = 50;

/// What the chain may do with blocks that it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It replaces some of the newest by others, and never a finalized one.
    Reorganises,
    /// It may come back without any of them (development: a node that lost its state).
    Forgets,
}

impl Memory {
    fn horizon(self) -> Horizon {
        match self {
            Self::Reorganises => Horizon::Near,
            Self::Forgets => Horizon::WholeChain,
        }
    }

    /// Whether the block that was seen is not in the chain any more; `None` when the node cannot tell yet.
    fn lost(self, standing: Standing) -> Option<bool> {
        match (standing, self) {
            (Standing::Canonical, _) => Some(false),
            (Standing::Replaced, _) | (Standing::Unknown, Self::Forgets) => Some(true),
            (Standing::Unknown, Self::Reorganises) => None,
        }
    }
}

impl ConfirmBatches {
    /// Blocks vanish from the newest on, so the first batch whose block is still there ends the search. Tells what keeps
    /// it from an answer, if anything does.
    pub(super) async fn reanchor(&self, chain: &ChainClient) -> Result<Option<String>> {
        let registry = self.registry()?;
        let horizon = self.batching.memory.horizon();
        if horizon == Horizon::WholeChain {
            batches::widen_search(&self.pool, &registry, i64::try_from(chain.block_number().await?)?).await?;
        }
        loop {
            let anchored = batches::anchored(&self.pool, &registry, horizon, LOOK_BACK).await?;
            if anchored.is_empty() {
                return Ok(None);
            }
            for batch in anchored {
                let standing = chain.standing(u64::try_from(batch.block_number)?, batch.block_hash.into()).await?;
                match self.batching.memory.lost(standing) {
                    Some(true) => {}
                    Some(false) => return Ok(None),
                    None => {
                        let behind = format!("the node does not know block {} yet", batch.block_number);
                        tracing::debug!(batch.id = %batch.id, behind, "nothing is taken back");
                        return Ok(Some(behind));
                    }
                }
                let block = batch.block_number;
                tracing::warn!(batch.id = %batch.id, chain.block = block, "the block is gone; anchoring again");
                metrics::counter!("zama_batches_reanchored_total").increment(1);
                batches::lift(&self.pool, batch.id, horizon).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_behind_undoes_nothing() {
        assert_eq!(Memory::Reorganises.lost(Standing::Unknown), None);
        assert_eq!(Memory::Forgets.lost(Standing::Unknown), Some(true));
        for memory in [Memory::Reorganises, Memory::Forgets] {
            assert_eq!(memory.lost(Standing::Canonical), Some(false));
            assert_eq!(memory.lost(Standing::Replaced), Some(true));
        }
    }
}
