//! Reorganisations of every depth while jobs run: none is confirmed or billed twice, and all stand on the final chain.

use serde_json::json;

use crate::harness::{OwnWorker, Stack, factor};

/// Each depth, at a time of its own within the jobs' lives.
const DEPTHS: [u64; 4] = [1, 3, 12, 64];

#[tokio::test]
async fn jobs_survive_reorganisations_of_any_depth() {
    // Rounds and jobs a round: a short run by default, the long one by `make chain-at-length`.
    let asked = |name: &str, default| std::env::var(name).ok().and_then(|set| set.parse().ok()).unwrap_or(default);
    let rounds: usize = asked("ZAMA_REORG_ROUNDS", 1);
    let each: usize = asked("ZAMA_REORG_JOBS", 6);
    let stack = Stack::without_worker();
    // As on a real chain: blocks are replaced and none is forgotten.
    let _worker = OwnWorker::start(&stack, &[("ZAMA__DEVELOPMENT__CHAIN_MAY_FORGET", "false")]);
    let zama = stack.tenant();
    stack.calls_node("anvil_mine", json!(["0x46"])).await;
    let mut ids = Vec::new();
    for round in 0..rounds {
        for (turn, depth) in DEPTHS.into_iter().enumerate() {
            let before = stack.sent().await.len();
            for number in 0..each {
                let odd = 2 * (round * DEPTHS.len() * each + turn * each + number) as u64;
                ids.push(zama.submit(&factor(1_000_003 + odd)).await.id);
            }
            match turn % 3 {
                // While batches are on their way, ...
                0 => stack.sends_more_than(before).await,
                // ... in blocks that are not deep yet, ...
                1 => stack.has_mined_all().await,
                // ... and after jobs were told that they are COMPLETED.
                _ => drop(zama.job(*ids.last().unwrap()).completes().await),
            }
            stack.reorganises(depth).await;
        }
    }
    for id in &ids {
        zama.job(*id).completes().await;
    }
    // The chain goes on, so that what was taken back shows.
    for id in &ids {
        stack.verifies_at_last(&zama.job(*id)).await;
    }
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}
