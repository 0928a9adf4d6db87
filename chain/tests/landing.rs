//! What becomes of a transaction in a block, as the sender sees it.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;

use alloy::primitives::U256;
use alloy::providers::{Provider, ProviderBuilder};
use anvil::{Anvil, leaves, next_nonce};
use chain::{ChainError, FeePolicy, Outcome};
use jobs::merkle::Batch;
use serde_json::{Value, json};

#[tokio::test]
async fn of_two_transactions_of_one_batch_one_confirms_and_one_does_nothing() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let node = async |method: &'static str, params: Value| {
        let _: Value = provider.raw_request(method.into(), params).await.unwrap();
    };
    node("evm_setAutomine", json!([false])).await;
    let batch = Batch::seal(&leaves(0..5)).unwrap();
    let estimate = sender.estimate(batch.root(), batch.entries()).await.unwrap();
    let nonce = next_nonce(&sender).await;
    let sign = async |nonce| sender.build_and_sign(batch.root(), batch.entries(), nonce, estimate).await.unwrap();
    let cheap = sign(nonce).await;
    sender.broadcast(&cheap.raw).await.unwrap();
    assert_eq!(sender.landing(cheap.hash).await.unwrap(), None, "it waits");

    let policy = FeePolicy { cap: u128::MAX, tip_cap: u128::MAX, patience: Default::default() };
    let more = policy.raised(cheap.fees, sender.market().await.unwrap()).unwrap();
    let first = sender.sign_again(&cheap.raw, more).await.unwrap();
    let (filler, second) = (sender.sign_filler(nonce + 1, more).await.unwrap(), sign(nonce + 2).await);
    for signed in [&first, &filler, &second] {
        sender.broadcast(&signed.raw).await.unwrap();
    }
    node("evm_mine", json!([])).await;
    let landing = async |signed: &chain::SignedTx| sender.landing(signed.hash).await.unwrap();
    assert_eq!(landing(&cheap).await, None, "replaced");
    assert_eq!(landing(&first).await.unwrap().outcome, Outcome::Confirmed);
    assert_eq!(landing(&filler).await.unwrap().outcome, Outcome::Nothing);
    assert_eq!(landing(&second).await.unwrap().outcome, Outcome::Nothing, "the root was there");

    node("anvil_reorg", json!([1, []])).await;
    for signed in [&first, &filler, &second] {
        assert_eq!(landing(signed).await, None, "no block has it any more");
    }
    // The same bytes again, in any order.
    for signed in [&second, &filler, &first] {
        sender.broadcast(&signed.raw).await.unwrap();
    }
    node("evm_mine", json!([])).await;
    assert_eq!(landing(&first).await.unwrap().outcome, Outcome::Confirmed);
}

#[tokio::test]
async fn means_are_asked_for_before_a_nonce_is() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let fees = sender.market().await.unwrap().fees();
    sender.require_means(100_000, fees).await.unwrap();
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let _: Value = provider.raw_request("anvil_setBalance".into(), json!([sender.address(), "0x1"])).await.unwrap();
    assert_eq!(sender.balance().await.unwrap(), U256::ONE);
    let refused = sender.require_means(100_000, fees).await.unwrap_err();
    assert!(matches!(refused, ChainError::CannotPay { .. }), "{refused}");
}
