//! Reorganisations of every depth at random times while jobs run: none is confirmed or billed twice, none is final
//! without standing on the chain that is final, and what was told of a job stays true.

use alloy::primitives::Bytes;
use serde_json::json;

use crate::harness::{Chance, OwnWorker, Stack, Zama, block, factor, until};

const DEPTHS: [u64; 4] = [1, 3, 12, 64];

/// When in the jobs' lives.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// While batches are on their way,
    Sent,
    /// in blocks that are not deep yet,
    Mined,
    /// and after jobs were told that they are COMPLETED.
    Completed,
}

const MOMENTS: [Moment; 3] = [Moment::Sent, Moment::Mined, Moment::Completed];

#[tokio::test]
async fn jobs_survive_reorganisations_of_any_depth() {
    // Rounds and jobs a round: a short run by default, the long one by `make chain-at-length`.
    let asked = |name: &str, default| std::env::var(name).ok().and_then(|set| set.parse().ok()).unwrap_or(default);
    let rounds: usize = asked("ZAMA_REORG_ROUNDS", 1);
    let each: usize = asked("ZAMA_REORG_JOBS", 6);
    let mut chance = Chance::new();
    let stack = Stack::without_worker();
    // As on a real chain: blocks are replaced and none is forgotten.
    let _worker = OwnWorker::start(&stack, &[("ZAMA__DEVELOPMENT__CHAIN_MAY_FORGET", "false")]);
    let zama = stack.tenant();
    stack.calls_node("anvil_mine", json!(["0x46"])).await;
    let mut ids = Vec::new();
    for turn in 0..rounds * DEPTHS.len() {
        let before = stack.sent().await.len();
        for number in 0..each {
            ids.push(zama.submit(&factor(1_000_003 + 2 * (turn * each + number) as u64)).await.id);
        }
        let moment = chance.one_of(&MOMENTS);
        match moment {
            Moment::Sent => stack.sends_more_than(before).await,
            Moment::Mined => stack.mines_more_than(before).await,
            Moment::Completed => drop(zama.job(*ids.last().unwrap()).completes().await),
        }
        reorganises(&stack, DEPTHS[turn % DEPTHS.len()], moment, &mut chance).await;
    }
    for id in &ids {
        zama.job(*id).completes().await;
    }
    // The chain goes on, so that what was taken back shows.
    for id in &ids {
        stack.verifies_at_last(&zama.job(*id)).await;
    }
    a_batch_lands_below_the_block_in_which_it_was_sealed(&stack, &zama).await;
    ids.push(what_was_completed_is_taken_back(&stack, &zama).await);
    all_are_final_where_they_stand(&stack, &zama, &ids).await;
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

/// Replaces blocks by others that hold some of their transactions, as a chain does, from the lowest nonce on and in
/// blocks of the same height, lower or higher ones.
async fn reorganises(stack: &Stack, depth: u64, moment: Moment, chance: &mut Chance) {
    stack.stops_mining().await;
    let mined = stack.mined_lately(depth).await;
    let count = usize::try_from(chance.below(mined.len() as u64 + 1)).unwrap();
    let mut blocks: Vec<u64> = (0..count).map(|_| chance.below(depth)).collect();
    blocks.sort_unstable();
    println!("{depth} blocks, {moment:?}: {count} of {} transactions stay, in blocks {blocks:?}", mined.len());
    let kept: Vec<(Bytes, u64)> = mined.into_iter().zip(blocks).collect();
    stack.reorganises(depth, &kept).await;
    stack.mines().await;
}

/// The chain goes over to a lower branch between seal and landing.
async fn a_batch_lands_below_the_block_in_which_it_was_sealed(stack: &Stack, zama: &Zama<'_>) {
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    stack.holds_a_transaction().await;
    stack.rolls_back(3).await;
    stack.mines().await;
    job.completes().await;
}

/// All that its client knows of a job but its block stays.
async fn what_was_completed_is_taken_back(stack: &Stack, zama: &Zama<'_>) -> jobs::JobId {
    let job = zama.submit(&factor(93)).await;
    let told = job.completes().await;
    let old = job.receipt().await;
    stack.stops_mining().await;
    stack.reorganises(stack.head().await + 1 - block(&told), &[]).await;
    stack.mines().await;
    job.was_anchored_again().await;
    let now = job.now().await;
    stack.verifies_at_last(&job).await;
    let new = job.receipt().await;
    assert_eq!((new.root, &new.leaf, &new.proof, new.salt), (old.root, &old.leaf, &old.proof, old.salt));
    assert_ne!(new.block_hash, old.block_hash);
    assert!(!stack.accepts(&old).await, "its block is in no chain");
    assert_eq!((now.status, now.completed_at, now.usage), (told.status, told.completed_at, told.usage));
    assert_ne!(now.blockchain_confirmation.unwrap().block_hash, told.blockchain_confirmation.unwrap().block_hash);
    assert_eq!(job.completions().await, 1);
    job.id
}

async fn all_are_final_where_they_stand(stack: &Stack, zama: &Zama<'_>, ids: &[jobs::JobId]) {
    // anvil finalizes what is 64 blocks deep.
    stack.calls_node("anvil_mine", json!(["0x46"])).await;
    for id in ids {
        let job = until("the job is final", async || {
            let job = zama.job(*id).now().await;
            job.blockchain_confirmation.as_ref().is_some_and(|confirmation| confirmation.finalized).then_some(job)
        })
        .await;
        let canonical = stack.block_hash(block(&job)).await;
        let told = job.blockchain_confirmation.and_then(|confirmation| confirmation.block_hash);
        assert_eq!(told, Some(canonical), "job {id} is final in a block that is in no chain");
        assert_eq!(zama.job(*id).completions().await, 1, "job {id}");
    }
}
