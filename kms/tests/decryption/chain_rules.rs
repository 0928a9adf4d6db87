//! What the chain must say, and through whom.

use alloy::providers::Provider as _;
use jobs::ErrorCode;
use retrieval::RecipientKey;

use crate::anvil::{Anvil, confirm};
use crate::gate::Gate;
use crate::stage::{Code, Stage, mine};
use jobs::merkle::Batch;

#[tokio::test]
async fn an_unconfirmed_or_not_yet_final_result_waits_and_its_nonce_stays_unused() {
    let stage = Stage::set().await;
    let (job, key) = (stage.computed(3), RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);
    stage.mine(5).await;
    stage.refuses(asked.clone(), ErrorCode::ResultNotReady).await;
    stage.confirm(&job).await;
    stage.refuses(asked.clone(), ErrorCode::ResultNotReady).await;
    stage.mine(1).await;
    let answer = stage.client.decrypt(asked.clone()).await.unwrap();
    assert!(stage.opens(&answer, &asked, &key).contains("value"));
}

/// anvil finalizes what is this deep.
const FINALIZED: u64 = 64;

#[tokio::test]
async fn a_result_is_ready_from_the_finalized_block_on() {
    let stage = Stage::strict(Code::TheRegistry).await;
    let (job, key) = (stage.computed(3), RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);
    stage.confirm(&job).await;
    stage.mine(FINALIZED - 1).await;
    stage.refuses(asked.clone(), ErrorCode::ResultNotReady).await;
    stage.mine(1).await;
    let answer = stage.client.decrypt(asked.clone()).await.unwrap();
    assert!(stage.opens(&answer, &asked, &key).contains("value"));
}

#[tokio::test]
async fn another_contract_than_the_pinned_one_is_no_registry() {
    let stage = Stage::strict(Code::Another).await;
    let (job, key) = (stage.computed(3), RecipientKey::generate());
    stage.confirm(&job).await;
    stage.mine(FINALIZED).await;
    stage.refuses(stage.asks(&stage.owner, &job, &key), ErrorCode::ServiceUnavailable).await;
}

/// Who answers yes to whatever it is asked: PUSH1 1, MSTORE at 0, RETURN a word.
#[tokio::test]
async fn a_contract_that_says_yes_to_everything_is_no_registry() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(3).await, RecipientKey::generate());
    let provider = stage.registry(&stage.owner).provider().clone();
    let place = (stage.domain.registry, "0x600160005260206000f3");
    provider.raw_request::<_, ()>("anvil_setCode".into(), place).await.unwrap();
    stage.mine(2).await;
    stage.refuses(stage.asks(&stage.owner, &job, &key), ErrorCode::ServiceUnavailable).await;
}

#[tokio::test]
async fn a_leaf_that_the_batch_does_not_hold_is_refused() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(3).await, RecipientKey::generate());
    let mut other_index = stage.asks(&stage.owner, &job, &key);
    other_index.leaf.index = jobs::leaf::Index::new(4);
    stage.refuses(other_index, ErrorCode::ResultUnverified).await;
    let mut other_bytes = stage.asks(&stage.owner, &job, &key);
    other_bytes.result[100] ^= 1;
    stage.refuses(other_bytes, ErrorCode::ResultUnverified).await;
}

/// The liar is a chain of the thief's own: same id, same registry, and there the job is confirmed.
#[tokio::test]
async fn one_lying_node_of_two_stops_everything() {
    let liar = Anvil::start(&[]);
    let lies = liar.rpc_url.clone();
    let stage = Stage::with_nodes(move |anvil| vec![anvil.rpc_url.clone(), lies.clone()], 2).await;
    let (job, key) = (stage.computed(0), RecipientKey::generate());
    let sender = liar.sender().await;
    assert_eq!(sender.client().config().registry, stage.domain.registry);
    confirm(&sender, &Batch::seal(std::slice::from_ref(&job.leaf)).unwrap()).await;
    mine(&liar, 10).await;
    stage.mine(10).await;
    stage.refuses(stage.asks(&stage.owner, &job, &key), ErrorCode::ServiceUnavailable).await;
}

#[tokio::test]
async fn too_few_nodes_are_no_chain() {
    let gone = "http://127.0.0.1:9".to_owned();
    let stage = Stage::with_nodes(move |anvil| vec![anvil.rpc_url.clone(), gone.clone()], 2).await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);
    stage.refuses(asked.clone(), ErrorCode::ServiceUnavailable).await;
    // A list of indices that no registry takes is refused before any node is asked.
    let mut twice = asked;
    twice.inclusion.entries.push(twice.inclusion.entries[0]);
    stage.refuses(twice, ErrorCode::ResultUnverified).await;
}

/// A node that has the chain as it is now, and hears of no further block.
fn node_that_stops_here(anvil: &Anvil) -> Anvil {
    Anvil::start(&["--fork-url", &anvil.rpc_url])
}

#[tokio::test]
async fn two_honest_nodes_agree_though_one_is_a_block_behind() {
    let gate = Gate::closed().await;
    let stage = Stage::with_nodes(|anvil| vec![anvil.rpc_url.clone(), gate.url.clone()], 2).await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    stage.mine(1).await;
    let behind = node_that_stops_here(&stage.anvil);
    stage.mine(1).await;
    gate.before(&behind.rpc_url);
    gate.opens();
    stage.client.decrypt(stage.asks(&stage.owner, &job, &key)).await.unwrap();
    // What that node has not seen is not settled for both.
    let newer = stage.computed(1);
    stage.confirm(&newer).await;
    stage.mine(5).await;
    stage.refuses(stage.asks(&stage.owner, &newer, &key), ErrorCode::ResultNotReady).await;
}

#[tokio::test]
async fn a_node_that_stopped_holds_nothing_back_while_a_quorum_goes_on() {
    let (stopped, second) = (Gate::closed().await, Gate::closed().await);
    let nodes = |anvil: &Anvil| vec![anvil.rpc_url.clone(), second.url.clone(), stopped.url.clone()];
    let stage = Stage::with_nodes(nodes, 2).await;
    let old = node_that_stops_here(&stage.anvil);
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    stage.mine(30).await;
    let other = node_that_stops_here(&stage.anvil);
    stopped.before(&old.rpc_url);
    second.before(&other.rpc_url);
    stopped.opens();
    second.opens();
    stage.client.decrypt(stage.asks(&stage.owner, &job, &key)).await.unwrap();
}

/// Of two nodes nobody can tell which is right: that is trouble with the nodes, and no property of the result.
#[tokio::test]
async fn two_nodes_far_apart_are_no_chain() {
    let gate = Gate::closed().await;
    let stage = Stage::with_nodes(|anvil| vec![anvil.rpc_url.clone(), gate.url.clone()], 2).await;
    let stopped = node_that_stops_here(&stage.anvil);
    gate.before(&stopped.rpc_url);
    gate.opens();
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    stage.mine(30).await;
    stage.refuses(stage.asks(&stage.owner, &job, &key), ErrorCode::ServiceUnavailable).await;
}

#[tokio::test]
async fn a_node_that_says_nothing_is_not_waited_for() {
    let (silent, second) = (Gate::closed().await, Gate::closed().await);
    let nodes = |anvil: &Anvil| vec![silent.url.clone(), anvil.rpc_url.clone(), second.url.clone()];
    let stage = Stage::with_nodes(nodes, 2).await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    stage.mine(1).await;
    let other = node_that_stops_here(&stage.anvil);
    second.before(&other.rpc_url);
    second.opens();
    stage.client.decrypt(stage.asks(&stage.owner, &job, &key)).await.unwrap();
}
