//! The chain is away.

use jobs::JobStatus;

use crate::harness::{OwnWorker, Place, Stack, Zama, factor, until};

#[tokio::test]
async fn jobs_wait_in_confirming_and_none_fails() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let before = zama.submit(&factor(91)).await;
    before.completes().await;
    let attempt = stack.attempt(&stack.batcher()).expect("the batcher works");
    let outage = stack.stops("anvil");
    let submitted = zama.submits_at_once(10).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).chain([before.id]).collect();
    zama.has(10, "CONFIRMING").await;
    let waiting = zama.jobs().await.into_iter().filter(|job| job.status == JobStatus::Confirming);
    assert!(waiting.into_iter().all(|job| job.result.is_some() && job.blockchain_confirmation.is_none()));
    until("the trouble is told", async || (stack.says("worker", "the batcher waits") > 0).then_some(())).await;
    the_alarm_grows(&stack).await;
    assert_eq!(stack.attempt(&stack.batcher()), Some(attempt), "one leader all the time");
    outage.over();
    zama.recovers(&ids).await;
}

/// The age of the oldest job that waits is what an outage is told by.
async fn the_alarm_grows(stack: &Stack) {
    let mut last = 0.0;
    for _ in 0..2 {
        last = until("the oldest that waits grows older", async || {
            stack.gauge("zama_confirmation_oldest_seconds").await.filter(|age| *age > last)
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_that_is_killed_comes_back_with_the_chain() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let before = zama.submit(&factor(91)).await;
    before.completes().await;
    // What anvil has not written yet dies with it: the batches after the last write are another matter.
    stack.has_written_the_chain().await;
    stack.kills("anvil");
    let after = zama.submit(&factor(93)).await;
    zama.recovers(&[before.id, after.id]).await;
}

#[tokio::test]
async fn a_chain_that_forgot_everything_is_anchored_again() {
    is_anchored_again(Memory::Forgets, async |_| (), |place| std::fs::remove_file(place.chain_file()).unwrap()).await;
}

#[tokio::test]
async fn a_chain_that_went_back_is_anchored_again() {
    is_anchored_again(Memory::Forgets, keeps_the_chain, went_back).await;
}

/// As a real chain: a block that the node does not know yet may come again, and is waited for.
#[tokio::test]
async fn a_node_that_came_back_with_older_state_is_anchored_again() {
    is_anchored_again(Memory::Reorganises, keeps_the_chain, went_back).await;
}

async fn keeps_the_chain(stack: &Stack) {
    stack.has_written_the_chain().await;
    // The node writes it in place, every second.
    let whole = until("the chain is read while it is not written", async || {
        let read = std::fs::read(stack.place.chain_file()).ok()?;
        serde_json::from_slice::<serde::de::IgnoredAny>(&read).ok().map(|_| read)
    })
    .await;
    std::fs::write(stack.place.path("older.json"), whole).unwrap();
}

fn went_back(place: &Place) {
    std::fs::rename(place.path("older.json"), place.chain_file()).unwrap();
}

/// Whether the worker takes a block that the node does not know for a lost one: `dev` says so, production does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Forgets,
    Reorganises,
}

impl Memory {
    fn stack(self) -> Stack {
        match self {
            Self::Forgets => Stack::own(),
            Self::Reorganises => Stack::without_worker(),
        }
    }

    fn worker(self, stack: &Stack) -> Option<OwnWorker> {
        let setting = ("ZAMA__DEVELOPMENT__CHAIN_MAY_FORGET", "false");
        (self == Self::Reorganises).then(|| OwnWorker::start(stack, &[setting]))
    }
}

/// One job completes, `meanwhile` happens, another completes, and while nothing runs the chain `loses` blocks: both
/// stay as they are for their clients, and their receipts verify on the chain that is there now.
async fn is_anchored_again(memory: Memory, meanwhile: impl AsyncFnOnce(&Stack), loses: impl FnOnce(&Place)) {
    let mut stack = memory.stack();
    let worker = memory.worker(&stack);
    let (tenant, token, ids) = {
        let zama = stack.tenant();
        let first = zama.submit(&factor(91)).await.id;
        zama.job(first).completes().await;
        meanwhile(&stack).await;
        let second = zama.submit(&factor(93)).await.id;
        zama.all_complete_confirmed_and_billed_once(&[first, second]).await;
        stack.has_written_the_chain().await;
        (zama.tenant, zama.token, [first, second])
    };
    drop(worker);
    stack.dies_and_starts_again_after(loses);
    let _worker = memory.worker(&stack);
    let zama = Zama::new(&stack, tenant, token);
    zama.job(ids[1]).was_anchored_again().await;
    for id in ids {
        stack.verifies(&zama.job(id).receipt().await).await;
    }
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}
