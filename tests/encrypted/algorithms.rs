//! Each algorithm from clear values to clear values, against what the clear computation gives.

use client::ClearValue;
use serde_json::json;

use super::story::{Owner, bytes};
use crate::harness::Stack;

#[tokio::test]
async fn statistics_are_those_of_the_clear_values() {
    let owner = Owner::regular(Stack::encrypted()).await;
    let told = owner.computes("encrypted_statistical_analysis", json!({}), bytes(&[3, 250, 7, 0])).await;
    // (4 * 62558 - 260^2) / 16, rounded down.
    assert_eq!(told, json!({"count": 4, "sum": 260, "mean": 65, "min": 0, "max": 250, "variance": 11414}));
}

#[tokio::test]
async fn a_score_may_be_negative() {
    let owner = Owner::regular(Stack::encrypted()).await;
    let parameters = json!({"weights": [3, -2], "bias": 1, "threshold": 0});
    let low = owner.computes("encrypted_linear_score", parameters.clone(), bytes(&[10, 20])).await;
    assert_eq!(low, json!({"score": -9, "passed": false}));
    let high = owner.computes("encrypted_linear_score", parameters, bytes(&[20, 10])).await;
    assert_eq!(high, json!({"score": 41, "passed": true}));
}

#[tokio::test]
async fn the_first_of_the_highest_bids_wins() {
    let owner = Owner::regular(Stack::encrypted()).await;
    let told = owner.computes("encrypted_maximum", json!({}), bytes(&[9, 30, 30, 2])).await;
    assert_eq!(told, json!({"index": 1, "price": 30}));
}

#[tokio::test]
async fn membership_is_told_for_clear_and_encrypted_sets() {
    let owner = Owner::regular(Stack::encrypted()).await;
    let algorithm = "encrypted_set_membership";
    let clear = owner.computes(algorithm, json!({"set": [5, 7, 11]}), bytes(&[7])).await;
    assert_eq!(clear, json!({"member": true}));
    let encrypted = owner.computes(algorithm, json!({"encrypted_set": true}), bytes(&[7, 5, 8, 11])).await;
    assert_eq!(encrypted, json!({"member": false}));
}

#[tokio::test]
async fn a_program_computes_what_it_says() {
    let owner = Owner::regular(Stack::encrypted()).await;
    let program = json!({
        "inputs": [{"name": "a", "type": "u8"}, {"name": "b", "type": "u8"}, {"name": "c", "type": "bool"}],
        "steps": [
            {"name": "sum", "op": "add", "args": ["a", "b"]},
            {"name": "most", "op": "max", "args": ["a", "b"]},
            {"name": "chosen", "op": "select", "args": ["c", "sum", "most"]},
            {"name": "rest", "op": "rem", "args": ["chosen", 10]}
        ],
        "outputs": ["chosen", "rest"]
    });
    let values = vec![ClearValue::U8(200), ClearValue::U8(100), ClearValue::Bool(true)];
    let told = owner.computes("program", json!({ "program": program }), values).await;
    assert_eq!(told, json!({"chosen": 44, "rest": 4}), "sums wrap at the type's width");
}
