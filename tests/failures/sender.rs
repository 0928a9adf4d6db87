//! Transactions that do not get through: too cheap, refused, overtaken by another program with the same key.

use serde_json::json;
use sqlx::Row;

use crate::harness::{ADMIN, CONFIRMER, CROWD, FaultyNode, Manner, OwnWorker, Stack, factor, until};

/// Patience that a test can wait for.
const SOON: (&str, &str) = ("ZAMA__CHAIN__FEE_PATIENCE_SECONDS", "3");
const GWEI: u128 = 1_000_000_000;

#[tokio::test]
async fn a_base_fee_that_leaps_is_followed_with_the_same_nonce() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let ids = [zama.submit(&factor(91)).await.id];
    let cheap = stack.waiting_transaction().await;
    stack.sets_base_fee(10 * cheap.max_fee.max(GWEI)).await;
    stack.calls_node("evm_mine", json!([])).await;
    stack.mines().await;
    zama.recovers(&ids).await;
    let sent = stack.sent().await;
    let states: Vec<_> = sent.iter().map(|sent| (sent.nonce, sent.state.as_str())).collect();
    assert_eq!(states.first(), Some(&(cheap.nonce, "REPLACED")), "{sent:?}");
    assert!(sent.iter().all(|sent| sent.nonce == cheap.nonce), "{sent:?}");
    let landed = sent.iter().find(|sent| sent.state == "CONFIRMED").expect("one of them landed");
    assert!(landed.max_fee > 2 * cheap.max_fee, "{sent:?}");
}

#[tokio::test]
async fn above_the_cap_batches_wait_visibly_and_go_on_when_the_market_comes_down() {
    let stack = Stack::with(&[SOON, ("ZAMA__CHAIN__FEE_CAP_GWEI", "3")]);
    let zama = stack.tenant();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    let first = stack.waiting_transaction().await;
    stack.sets_base_fee(1_000_000 * GWEI).await;
    stack.calls_node("evm_mine", json!([])).await;
    stack.mines().await;
    until("the cap is told", async || (stack.says("worker", "chain.fee_cap_gwei") > 0).then_some(())).await;
    assert!(stack.sent().await.iter().all(|sent| sent.max_fee <= 3 * GWEI), "never above the cap");
    stack.sets_base_fee(GWEI / 2).await;
    zama.recovers(&[job.id]).await;
    assert!(stack.sent().await.iter().all(|sent| sent.nonce == first.nonce && sent.max_fee <= 3 * GWEI));
}

/// The node has a fee cap of its own, or its pool is full.
#[tokio::test]
async fn a_raise_that_the_node_refuses_holds_up_no_other_batch_and_is_not_raised_again() {
    let stack = Stack::without_worker();
    let zama = stack.tenant();
    let node = FaultyNode::before(&stack.rpc).await;
    let _worker = OwnWorker::start(&stack, &[("ZAMA__CHAIN__RPC_URL", node.url.as_str()), SOON]);
    stack.stops_mining().await;
    let arrived = zama.submit(&factor(91)).await;
    let first = stack.waiting_transaction().await;
    stack.calls_node("evm_mine", json!([])).await;
    let waits = zama.submit(&factor(93)).await;
    let variants =
        async || stack.sent().await.into_iter().filter(|sent| sent.nonce == first.nonce + 1).collect::<Vec<_>>();
    let cheap =
        until("the second batch is sent", async || variants().await.pop().filter(|sent| sent.state == "SENT")).await;
    node.answers(Manner::TakesNone);
    // Within the cap of 300 gwei; an eighth of it goes with each block.
    stack.sets_base_fee(30 * cheap.max_fee.max(GWEI)).await;
    stack.mines().await;
    arrived.completes().await;
    until("it is told", async || (stack.says("worker", "exceeds the configured cap") > 0).then_some(())).await;
    // Many times the patience, counted in blocks.
    let head = stack.head().await;
    until("blocks have passed it by", async || (stack.head().await > head + 8).then_some(())).await;
    assert_eq!(variants().await.len(), 2, "what no node takes is not made dearer");
    node.answers(Manner::True);
    zama.recovers(&[arrived.id, waits.id]).await;
}

/// Somebody relayed the batch, or a second confirmer sent it: ours can only revert.
#[tokio::test]
async fn what_another_transaction_has_confirmed_is_not_raised_but_replaced_by_nothing() {
    let stack = Stack::without_worker();
    let zama = stack.tenant();
    let worker = OwnWorker::start(&stack, &[]);
    stack.grants_the_role_to(ADMIN).await;
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    let ours = stack.waiting_transaction().await;
    worker.dies();
    let call = stack.calldata(ours.hash).await;
    stack.sets_base_fee(10 * ours.max_fee.max(GWEI)).await;
    stack.relays(ADMIN, &call, 100 * ours.max_fee.max(GWEI)).await;
    // Two blocks: the other one's transaction is deep enough, and ours waits in the pool.
    stack.calls_node("anvil_mine", json!(["0x2"])).await;
    let _worker = OwnWorker::start(&stack, &[]);
    let fillers = async || stack.sent().await.into_iter().filter(|sent| sent.purpose == "FILLER").collect::<Vec<_>>();
    until("ours is replaced", async || (!fillers().await.is_empty()).then_some(())).await;
    stack.mines().await;
    zama.recovers(&[job.id]).await;
    until("the nonce is used up", async || (fillers().await.last()?.state == "CONFIRMED").then_some(())).await;
    let sent = stack.sent().await;
    assert!(sent.iter().all(|sent| sent.nonce == ours.nonce), "one nonce: {sent:?}");
    let batches: Vec<_> = sent.iter().filter(|sent| sent.purpose == "BATCH").map(|sent| sent.state.as_str()).collect();
    assert_eq!(batches, ["REPLACED"], "ours was raised: {sent:?}");
}

#[tokio::test]
async fn a_nonce_that_another_program_uses_costs_the_batch_another_one_and_no_job() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    let ours = stack.waiting_transaction().await;
    stack.another_program_sends(ours.nonce, 100 * ours.max_fee.max(GWEI)).await;
    stack.mines().await;
    zama.recovers(&[job.id]).await;
    let sent = stack.sent().await;
    let states: Vec<_> = sent.iter().map(|sent| (sent.nonce, sent.state.as_str())).collect();
    assert_eq!(states, [(ours.nonce, "ABANDONED"), (ours.nonce + 1, "CONFIRMED")], "{sent:?}");
    assert_eq!(stack.says("worker", "somebody else holds the confirmer's key"), 1, "an operator is told");
}

/// What was given up lands after all, in a branch in which the other program's transaction never was.
#[tokio::test]
async fn a_transaction_that_was_given_up_and_lands_after_all_completes_its_own_jobs_alone() {
    let stack = Stack::without_worker();
    let _worker = OwnWorker::start(&stack, &[("ZAMA__DEVELOPMENT__CHAIN_MAY_FORGET", "false")]);
    let zama = stack.tenant();
    stack.stops_mining().await;
    let first = zama.submit(&factor(91)).await;
    let given_up = stack.waiting_transaction().await;
    let before = stack.head().await;
    stack.another_program_sends(given_up.nonce, 100 * given_up.max_fee.max(GWEI)).await;
    stack.mines().await;
    first.completes().await;
    // 64 blocks would make it final.
    stack.stops_mining().await;
    until("the transaction is given up", async || {
        stack.sent().await.into_iter().find(|sent| sent.hash == given_up.hash && sent.state == "ABANDONED")
    })
    .await;
    assert_ne!(first.receipt().await.tx_hash, given_up.hash);

    let second = zama.submit(&factor(93)).await;
    second.reaches(jobs::JobStatus::Confirming).await;
    let raw = stack.raw(given_up.hash).await;
    stack.reorganises(stack.head().await - before, &[(raw, 0)]).await;
    stack.mines().await;
    zama.recovers_with_receipts(&[first.id, second.id]).await;
    assert_eq!(first.receipt().await.tx_hash, given_up.hash, "what the chain has is what is told");
    assert_eq!(first.completions().await, 1);
}

#[tokio::test]
async fn a_confirmer_without_means_is_told_and_its_batches_wait() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.sets_balance(CONFIRMER, 0).await;
    let job = zama.submit(&factor(91)).await;
    let line = "\"reason\":\"cannot_pay\"";
    until("it is told", async || (stack.says("worker", line) > 0).then_some(())).await;
    let low = async || stack.gauge("zama_confirmer_balance_low").await;
    until("the alarm is on", async || low().await.filter(|low| *low == 1.0)).await;
    assert_eq!(job.now().await.status, jobs::JobStatus::Confirming);
    stack.sets_balance(CONFIRMER, 1_000_000_000 * GWEI).await;
    zama.recovers(&[job.id]).await;
    until("the alarm is off", async || low().await.filter(|low| *low == 0.0)).await;
}

/// Another program's transaction waited at the node when ours got its nonce, and is gone.
#[tokio::test]
async fn a_gap_before_our_nonce_is_filled() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let next = stack.next_nonce().await;
    let strangers = stack.another_program_sends(next, 10 * GWEI).await;
    let job = zama.submit(&factor(91)).await;
    let ours = until("ours is written down", async || stack.sent().await.pop()).await;
    assert_eq!(ours.nonce, next + 1, "behind the other program's");
    stack.calls_node("anvil_dropTransaction", json!([strangers])).await;
    stack.mines().await;
    zama.recovers(&[job.id]).await;
    let sent = stack.sent().await;
    let filler = sent.iter().find(|sent| sent.nonce == next).expect("the nonce was filled");
    assert_eq!(filler.purpose, "FILLER");
}

/// Somebody else confirms with our rights: the index is theirs for ever.
#[tokio::test]
async fn a_bit_that_another_root_has_set_costs_the_jobs_their_indices_and_nothing_else() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.confirms_elsewhere(0).await;
    let first = zama.submit(&factor(91)).await;
    first.completes().await;
    let others = [zama.submit(&factor(93)).await.id, zama.submit(&factor(95)).await.id];
    zama.all_complete_confirmed_and_billed_once(&[&[first.id], others.as_slice()].concat()).await;
    assert_eq!(stack.says("worker", "its jobs get new indices"), 1, "an operator is told");
    let abandoned = stack.rows(sqlx::query("SELECT reason FROM batches WHERE status = 'ABANDONED'")).await;
    assert_eq!(abandoned.len(), 1);
}

/// And it did so after ours was signed: ours can only be given up once that is final.
#[tokio::test]
async fn a_batch_that_was_signed_is_given_up_only_when_the_other_root_is_final() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    let ours = stack.waiting_transaction().await;
    stack.overtakes_with_index(0, ours.nonce, 100 * ours.max_fee.max(GWEI)).await;
    // 64 blocks make it final: not before the others are billed.
    stack.calls_node("evm_setIntervalMining", json!([2])).await;
    until("the batch is refused", async || (stack.says("worker", "the batch cannot go on") > 0).then_some(())).await;
    let others = [zama.submit(&factor(93)).await.id, zama.submit(&factor(95)).await.id];
    zama.all_complete_confirmed_and_billed_once(&others).await;
    assert_eq!(job.now().await.status, jobs::JobStatus::Confirming, "it holds up no other");
    let status = || async { stack.rows(sqlx::query("SELECT 1 FROM batches WHERE status = 'ABANDONED'")).await.len() };
    assert_eq!(status().await, 0, "a reorganisation could still confirm it");
    // anvil finalizes what is 64 blocks deep.
    stack.calls_node("anvil_mine", json!(["0x46"])).await;
    zama.recovers(&[job.id]).await;
    assert_eq!(status().await, 1);
}

#[tokio::test]
async fn a_paused_registry_and_a_lost_role_are_told_by_name_and_waited_for() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.pauses().await;
    let first = zama.submit(&factor(91)).await;
    let told = async |reason| {
        let line = format!("\"reason\":\"{reason}\"");
        until(reason, async || (stack.says("worker", &line) > 0).then_some(())).await;
    };
    told("paused").await;
    until("health tells of it", async || {
        let chain = zama.get("/v1/health").await.body["parts"]["chain"].clone();
        chain["detail"].as_str().is_some_and(|detail| detail.contains("paused")).then_some(())
    })
    .await;
    stack.unpauses().await;
    first.completes().await;
    stack.revokes_the_role().await;
    let second = zama.submit(&factor(93)).await;
    told("role_lost").await;
    stack.grants_the_role().await;
    zama.all_complete_confirmed_and_billed_once(&[first.id, second.id]).await;
}

#[tokio::test]
async fn gas_a_job_in_batches_of_100_keeps_its_bound_through_the_batcher() {
    // A batch that begins a word of the bitmap costs more, the others less: four, over two words, cost about the mean.
    assert!(gas_a_job("100", 4).await <= 700);
}

#[tokio::test]
#[ignore = "a thousand jobs take a minute or two: `make chain-at-length`"]
async fn gas_a_job_in_a_batch_of_1000_keeps_its_bound_through_the_batcher() {
    assert!(gas_a_job("1000", 1).await <= 170);
}

/// The whole gas of the batcher's transactions for each of their jobs.
async fn gas_a_job(size: &'static str, batches: usize) -> u64 {
    let batches_of = [("ZAMA__CHAIN__BATCH_MAX_JOBS", size), ("ZAMA__CHAIN__BATCH_MAX_AGE_MS", "600000")];
    let stack = Stack::with(&[batches_of[0], batches_of[1], CROWD[0], CROWD[1]]);
    let zama = stack.tenant();
    let jobs = size.parse::<usize>().unwrap() * batches;
    for _ in 0..jobs / 100 {
        zama.submits_at_once(100).await;
    }
    let confirmed = until("all batches are confirmed", async || {
        let query = "SELECT tx_hash, job_count FROM batches WHERE confirmed_at IS NOT NULL";
        let rows = stack.rows(sqlx::query(query)).await;
        (rows.len() == batches).then_some(rows)
    })
    .await;
    let mut gas = 0;
    for batch in &confirmed {
        assert_eq!(batch.get::<i32, _>("job_count").to_string(), size, "full batches alone");
        gas += stack.gas_used(alloy::primitives::B256::from_slice(batch.get("tx_hash"))).await;
    }
    println!("{} gas a job in batches of {size}", gas / jobs as u64);
    gas / jobs as u64
}
