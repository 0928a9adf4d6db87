//! kill -9 of the sender between any two of its steps, and at random: no batch is lost and none is confirmed twice.

use serde_json::json;

use crate::harness::{Stack, factor, until};

const MORTAL: (&str, &str) = ("ZAMA_TEST_MORTAL", "1");
const SOON: (&str, &str) = ("ZAMA__CHAIN__FEE_PATIENCE_SECONDS", "2");

#[tokio::test]
async fn between_any_two_steps() {
    let stack = Stack::with(&[MORTAL, SOON]);
    let zama = stack.tenant();
    let orders = stack.place.data_dir().join("die-at");
    std::fs::create_dir_all(&orders).unwrap();
    let mut ids = Vec::new();
    for (turn, step) in ["Sealed", "Estimated", "WrittenAhead", "Broadcast", "Mined", "Completed"].iter().enumerate() {
        let order = orders.join(step);
        std::fs::write(&order, "").unwrap();
        let job = zama.submit(&factor(91 + 2 * turn as u64)).await;
        until("the sender has died there", async || (!order.exists()).then_some(())).await;
        job.completes().await;
        ids.push(job.id);
    }
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

#[tokio::test]
async fn between_a_replacements_write_ahead_and_its_broadcast() {
    let stack = Stack::with(&[MORTAL, SOON]);
    let zama = stack.tenant();
    let orders = stack.place.data_dir().join("die-at");
    std::fs::create_dir_all(&orders).unwrap();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    let cheap = stack.waiting_transaction().await;
    std::fs::write(orders.join("Raised"), "").unwrap();
    stack.sets_base_fee(10 * cheap.max_fee.max(1_000_000_000)).await;
    stack.calls_node("evm_mine", json!([])).await;
    until("the sender has died there", async || (!orders.join("Raised").exists()).then_some(())).await;
    stack.mines().await;
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    assert!(stack.sent().await.iter().all(|sent| sent.nonce == cheap.nonce), "one nonce");
}

#[tokio::test]
async fn at_random_while_jobs_run() {
    // 50 by `make sender-dies`.
    let deaths: usize = std::env::var("ZAMA_DEATHS").ok().and_then(|set| set.parse().ok()).unwrap_or(3);
    let stack = Stack::own();
    let zama = stack.tenant();
    let mut ids = Vec::new();
    for turn in 0..deaths {
        for number in 0..4 {
            ids.push(zama.submit(&factor(1_000_003 + 2 * (4 * turn + number) as u64)).await.id);
        }
        let within = std::time::Duration::from_millis(u64::from(rand_byte()) * 12);
        tokio::time::sleep(within).await;
        let restarts = stack.place.part("worker").restarts;
        stack.kills("worker");
        until("the worker is started again", async || (stack.place.part("worker").restarts > restarts).then_some(()))
            .await;
    }
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

/// Any moment of the three seconds in which a batch lives.
fn rand_byte() -> u8 {
    uuid::Uuid::new_v4().into_bytes()[0]
}
