//! A chain that went back: batches whose block is gone are sent again, the same root and entries; those whose block is
//! finalized are watched no longer.
//!
//! Every block that holds a confirmed batch is compared by its hash. A newer one that stands says nothing of an older
//! one: a batch may have been confirmed on the new branch before the old one was looked at. A node that does not know a
//! block yet is behind and takes nothing back. Only a development chain forgets whole blocks, and finality with them.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chain::{Block, ChainClient, Standing};
use store::batches::{self, Finality, Horizon};
use store::transactions::InBlock;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{ConfirmBatches, Shift, mortality};

/// Confirmed batches read in one go. On a chain without finality older ones are left alone.
const CONFIRMED: i64 = 10_000;
/// Final batches read in one go, of a chain that forgets.
const LOOK_BACK: i64 = 50;
/// Blocks asked for in one go: a new leader on a fast chain has many.
const ASKED: usize = 50;

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

/// Blocks that were in the chain when `tip` was its newest: as long as that is in it, so are they, its ancestors.
#[derive(Default)]
pub(super) struct Seen {
    tip: Option<Block>,
    blocks: HashSet<InBlock>,
}

/// Who knows how a block stands.
trait Witness {
    fn standing(&self, block: InBlock) -> impl Future<Output = Result<Standing>> + Send;
}

/// A node that is asked, and whoever waits for its answers.
struct Asked<'a> {
    chain: &'a ChainClient,
    pulse: &'a Notify,
}

impl Witness for Asked<'_> {
    async fn standing(&self, block: InBlock) -> Result<Standing> {
        self.pulse.notify_one();
        Ok(self.chain.standing(u64::try_from(block.number)?, block.hash.into()).await?)
    }
}

/// What became of blocks with confirmed batches.
#[derive(Debug, Default, PartialEq, Eq)]
struct Examined {
    /// In the chain.
    stand: HashSet<InBlock>,
    /// In the chain, and never taken back.
    is_final: Vec<InBlock>,
    /// Not in the chain any more.
    gone: Vec<InBlock>,
    /// One that the node does not know yet.
    unknown: Option<InBlock>,
}

/// Looks at blocks, newest first; those up to `finalized` before the others, since each is asked for once and then no
/// more. What is `known` to stand is not asked for unless it is final now.
async fn examine(
    blocks: &[InBlock],
    memory: Memory,
    finalized: Option<i64>,
    known: &HashSet<InBlock>,
    witness: &impl Witness,
) -> Result<Examined> {
    let is_final = |block: &InBlock| finalized.is_some_and(|finalized| block.number <= finalized);
    let (finals, others): (Vec<InBlock>, Vec<InBlock>) = blocks.iter().copied().partition(is_final);
    let (stand, unsure): (Vec<InBlock>, Vec<InBlock>) = others.into_iter().partition(|block| known.contains(block));
    let mut examined = Examined { stand: stand.into_iter().collect(), ..Default::default() };
    for block in finals.into_iter().chain(unsure).take(ASKED) {
        match memory.lost(witness.standing(block).await?) {
            Some(true) => examined.gone.push(block),
            Some(false) if is_final(&block) => examined.is_final.push(block),
            Some(false) => drop(examined.stand.insert(block)),
            None => examined.unknown = examined.unknown.or(Some(block)),
        }
    }
    Ok(examined)
}

impl ConfirmBatches {
    /// Compares the blocks of confirmed batches with the chain. Tells what keeps it from an answer, if anything does.
    pub(super) async fn watch_anchors(&self, chain: &ChainClient, shift: &mut Shift) -> Result<Option<String>> {
        let registry = self.registry()?;
        let forgets = self.batching.memory == Memory::Forgets;
        if forgets {
            batches::widen_search(&self.pool, &registry, i64::try_from(chain.block_number().await?)?).await?;
        }
        let behind = self.watch_open_anchors(chain, shift).await?;
        if forgets {
            self.watch_final_anchors(&Asked { chain, pulse: &shift.pulse }).await?;
        }
        Ok(behind)
    }

    async fn watch_open_anchors(&self, chain: &ChainClient, shift: &mut Shift) -> Result<Option<String>> {
        let registry = self.registry()?;
        // What is learnt counts only if the chain is the same one at the end.
        let before = std::mem::take(&mut shift.seen);
        let mut blocks = Vec::new();
        let mut held: HashMap<InBlock, Vec<Uuid>> = HashMap::new();
        for batch in batches::anchored(&self.pool, &registry, Finality::Open, CONFIRMED).await? {
            let batches = held.entry(batch.block).or_default();
            if batches.is_empty() {
                blocks.push(batch.block);
            }
            batches.push(batch.id);
        }
        if blocks.is_empty() {
            return Ok(None);
        }
        let tip = chain.newest().await?;
        let known = match before.tip {
            Some(before_tip) if stands(chain, before_tip).await? => before.blocks,
            _ => HashSet::new(),
        };
        let finalized = chain.finalized_block().await?.map(i64::try_from).transpose()?;
        let asked = Asked { chain, pulse: &shift.pulse };
        let examined = examine(&blocks, self.batching.memory, finalized, &known, &asked).await?;
        for block in &examined.gone {
            for batch in held.get(block).into_iter().flatten() {
                self.anchor_again(*batch, *block).await?;
            }
        }
        for block in &examined.is_final {
            batches::finalize(&self.pool, &registry, *block).await?;
            mortality::after(mortality::Step::Finalized);
        }
        if stands(chain, tip).await? {
            shift.seen = Seen { tip: Some(tip), blocks: examined.stand };
        }
        Ok(examined.unknown.map(|block| format!("the node does not know block {} yet", block.number)))
    }

    /// Of a chain that forgets: blocks vanish from the newest on, so that the first one that is there ends the search.
    async fn watch_final_anchors(&self, asked: &Asked<'_>) -> Result<()> {
        let registry = self.registry()?;
        loop {
            let anchored = batches::anchored(&self.pool, &registry, Finality::Final, LOOK_BACK).await?;
            if anchored.is_empty() {
                return Ok(());
            }
            for batch in anchored {
                if self.batching.memory.lost(asked.standing(batch.block).await?) != Some(true) {
                    return Ok(());
                }
                self.anchor_again(batch.id, batch.block).await?;
            }
        }
    }

    async fn anchor_again(&self, batch: Uuid, block: InBlock) -> Result<()> {
        tracing::warn!(batch.id = %batch, chain.block = block.number, "the block is gone; anchoring again");
        metrics::counter!("zama_batches_reanchored_total").increment(1);
        batches::lift(&self.pool, batch, self.batching.memory.horizon()).await?;
        mortality::after(mortality::Step::Lifted);
        Ok(())
    }
}

async fn stands(chain: &ChainClient, block: Block) -> Result<bool> {
    Ok(chain.standing(block.number, block.hash).await? == Standing::Canonical)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A chain of these blocks, and which of them it was asked for.
    struct Blocks {
        chain: Vec<InBlock>,
        asked: Mutex<Vec<InBlock>>,
    }

    impl Witness for Blocks {
        async fn standing(&self, block: InBlock) -> Result<Standing> {
            self.asked.lock().unwrap().push(block);
            let here = self.chain.iter().find(|one| one.number == block.number);
            Ok(here.map_or(Standing::Unknown, |here| match here.hash == block.hash {
                true => Standing::Canonical,
                false => Standing::Replaced,
            }))
        }
    }

    fn block(number: i64, branch: u8) -> InBlock {
        InBlock { number, hash: [branch; 32] }
    }

    fn branch(letter: u8, numbers: std::ops::Range<i64>) -> Vec<InBlock> {
        numbers.map(|number| block(number, letter)).collect()
    }

    async fn examined(
        anchors: &[InBlock],
        chain: &[Vec<InBlock>],
        memory: Memory,
        finalized: Option<i64>,
        known: &[InBlock],
    ) -> (Examined, Vec<InBlock>) {
        let witness = Blocks { chain: chain.concat(), asked: Mutex::default() };
        let known = known.iter().copied().collect();
        let examined = examine(anchors, memory, finalized, &known, &witness).await.unwrap();
        (examined, witness.asked.into_inner().unwrap())
    }

    #[test]
    fn a_node_that_is_behind_undoes_nothing() {
        assert_eq!(Memory::Reorganises.lost(Standing::Unknown), None);
        assert_eq!(Memory::Forgets.lost(Standing::Unknown), Some(true));
        for memory in [Memory::Reorganises, Memory::Forgets] {
            assert_eq!(memory.lost(Standing::Canonical), Some(false));
            assert_eq!(memory.lost(Standing::Replaced), Some(true));
        }
    }

    #[tokio::test]
    async fn a_newer_anchor_that_stands_does_not_vouch_for_an_older_one() {
        let (old, new) = (branch(1, 0..97), branch(2, 95..98));
        let chain = [old[..95].to_vec(), new.clone()];
        let anchors = [new[1], old[95], old[94]];
        let (seen, _) = examined(&anchors, &chain, Memory::Reorganises, None, &[]).await;
        assert_eq!(seen.gone, [old[95]]);
        assert_eq!(seen.stand, HashSet::from([new[1], old[94]]));
    }

    #[tokio::test]
    async fn only_the_block_that_is_in_the_chain_becomes_final() {
        let chain = [branch(2, 0..200)];
        let anchors = [block(150, 2), block(95, 1), block(95, 2), block(94, 2)];
        let known = [block(95, 1), block(94, 2)];
        let (seen, _) = examined(&anchors, &chain, Memory::Reorganises, Some(95), &known).await;
        assert_eq!(seen.is_final, [block(95, 2), block(94, 2)]);
        assert_eq!(seen.gone, [block(95, 1)], "whatever was known of it");
    }

    #[tokio::test]
    async fn a_block_that_the_node_does_not_know_hides_no_older_one() {
        let chain = [branch(2, 0..60)];
        let anchors = [block(90, 1), block(59, 1), block(20, 2)];
        let (seen, _) = examined(&anchors, &chain, Memory::Reorganises, None, &[]).await;
        assert_eq!((seen.unknown, seen.gone), (Some(block(90, 1)), vec![block(59, 1)]));
        let (seen, _) = examined(&anchors, &chain, Memory::Forgets, None, &[]).await;
        assert_eq!((seen.unknown, seen.gone), (None, vec![block(90, 1), block(59, 1)]));
    }

    #[tokio::test]
    async fn what_is_known_costs_no_question_and_many_cost_a_few_at_a_time() {
        let chain = [branch(2, 0..500)];
        let mut anchors = branch(2, 100..400);
        anchors.reverse();
        let (first, asked) = examined(&anchors, &chain, Memory::Reorganises, None, &[]).await;
        assert_eq!((asked.len(), asked[0], first.stand.len()), (ASKED, block(399, 2), ASKED));
        let known: Vec<InBlock> = first.stand.into_iter().collect();
        let (second, asked) = examined(&anchors, &chain, Memory::Reorganises, None, &known).await;
        assert!(asked.iter().all(|block| !known.contains(block)), "{asked:?}");
        assert_eq!(second.stand.len(), 2 * ASKED);
    }
}
