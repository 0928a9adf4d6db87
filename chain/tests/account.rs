//! An operator's transaction: followed through an outage, told before it is waited for, and outbid when it hangs.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;
mod faulty;

use std::sync::Mutex;
use std::time::Duration;

use alloy::providers::{Provider, ProviderBuilder};
use anvil::{Anvil, CHAIN_ID, CONFIRMER, DEPLOYER_KEY, TIMEOUT};
use chain::{Admin, Administration, ChainError, Change, Place, Role, Sending, SignedTx, Signer};
use faulty::{FaultyNode, Manner};
use serde_json::{Value, json};

const GRANT: Change = Change::Grant { role: Role::Pauser, account: CONFIRMER };

async fn administration(anvil: &Anvil, rpc_url: &str) -> Administration {
    let registry = anvil.deploy().await;
    let signer = Signer::private_key(DEPLOYER_KEY).unwrap();
    let admin = Admin { rpc_url, chain_id: CHAIN_ID, signer: &signer, timeout: TIMEOUT };
    Administration::connect(admin, registry).await.unwrap()
}

#[tokio::test]
async fn a_node_that_goes_away_meanwhile_is_waited_for() {
    let anvil = Anvil::start(&[]);
    let node = FaultyNode::before(&anvil.rpc_url).await;
    let administration = administration(&anvil, &node.url).await;
    let receipts = "eth_getTransactionReceipt";
    for fault in [Manner::Error(-32603, "busy"), Manner::Error(-32000, "header not found")] {
        let change = if administration.outstanding(&[GRANT]).await.unwrap().is_empty() { Change::Pause } else { GRANT };
        node.answers(receipts, fault);
        let (before, told) = (node.asked(receipts), Mutex::new(Vec::new()));
        let tell = |sent: &SignedTx| told.lock().unwrap().push(sent.hash);
        let sending = Sending { told: &tell, ..Sending::default() };
        let recovers = async {
            while node.asked(receipts) == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            node.answers_truly(receipts);
        };
        let (made, ()) = tokio::join!(administration.make(change, &sending), recovers);
        assert_eq!(vec![made.unwrap().expect("it was sent").tx_hash], *told.lock().unwrap());
    }
}

#[tokio::test]
async fn a_transaction_that_hangs_is_told_and_replaced_at_higher_fees() {
    let anvil = Anvil::start(&[]);
    let administration = administration(&anvil, &anvil.rpc_url).await;
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let node = async |method: &'static str, params: Value| -> Value {
        provider.raw_request(method.into(), params).await.unwrap()
    };
    node("evm_setAutomine", json!([false])).await;
    let sent = Mutex::new(Vec::new());
    let tell = |signed: &SignedTx| sent.lock().unwrap().push(signed.clone());
    let patience = Duration::from_millis(200);
    let of = |place| Sending { place, patience, told: &tell };

    let waits = administration.make(GRANT, &of(Place::Last)).await.unwrap_err();
    let first = sent.lock().unwrap()[0].clone();
    let again = administration.make(GRANT, &of(Place::First { cap: first.fees.max_fee_per_gas })).await.unwrap_err();
    assert!(matches!(again, ChainError::Configuration(_)), "it waits already, and has no room: {again}");
    assert!(matches!(waits, ChainError::NotMined { tx_hash, .. } if tx_hash == first.hash), "{waits}");
    // A cap that leaves no room: nothing is replaced.
    let poor = administration.make(Change::Pause, &of(Place::First { cap: first.fees.max_fee_per_gas })).await;
    assert!(matches!(poor.unwrap_err(), ChainError::Rejected { .. }));
    let waits = administration.make(Change::Pause, &of(Place::First { cap: u128::MAX })).await.unwrap_err();
    let second = sent.lock().unwrap().last().unwrap().clone();
    assert!(matches!(waits, ChainError::NotMined { tx_hash, .. } if tx_hash == second.hash), "{waits}");
    assert_eq!((second.nonce, sent.lock().unwrap().len()), (first.nonce, 2));
    assert!(second.fees.max_fee_per_gas > first.fees.max_fee_per_gas);

    // The very same call again: at today's fees it would be the transaction that waits.
    let waits = administration.make(Change::Pause, &of(Place::First { cap: u128::MAX })).await.unwrap_err();
    let third = sent.lock().unwrap().last().unwrap().clone();
    assert!(matches!(waits, ChainError::NotMined { tx_hash, .. } if tx_hash == third.hash), "{waits}");
    assert!(third.nonce == first.nonce && third.fees.max_fee_per_gas > second.fees.max_fee_per_gas);

    node("evm_mine", json!([])).await;
    assert_eq!(
        administration.outstanding(&[GRANT, Change::Pause]).await.unwrap(),
        [GRANT],
        "the second took its place"
    );
    assert_eq!(node("eth_getTransactionReceipt", json!([first.hash])).await, Value::Null);
}
