//! The gas of confirmations on its way to the billing system: there for people, billed by nothing, and the same each time.

use jobs::JobId;
use serde_json::Value;
use store::usage;

use crate::stage::{Stage, this_month};

/// The gas that Lago's events of these jobs carry, in their order, and that no other event carries any.
async fn gas_told(stage: &Stage, jobs: &[JobId]) -> Vec<String> {
    let events = stage.events().await;
    let with_gas = events.iter().filter(|event| event["properties"].get("gas").is_some());
    assert!(with_gas.clone().all(|event| event["code"] == "chain_confirmations"), "{events:#?}");
    assert_eq!(with_gas.count(), jobs.len());
    let of = |job: &JobId| {
        let id = format!("{job}:chain_confirmations:0");
        let event = events.iter().find(|event| event["transaction_id"] == id.as_str());
        event
            .and_then(|event| event["properties"]["gas"].as_str())
            .unwrap_or_else(|| panic!("no gas of {id}"))
            .to_owned()
    };
    jobs.iter().map(of).collect()
}

#[tokio::test]
async fn an_event_carries_its_row_s_gas_and_so_does_one_that_is_sent_again() {
    let stage = Stage::new().await;
    let jobs = stage.completes(3, 1).await;
    let delivery = stage.delivery();
    for job in &jobs[..2] {
        delivery.deliver(usage::due_for_job(stage.pool(), *job).await.unwrap()).await.unwrap();
    }
    // Lago has lost what was delivered of the third.
    let lost = usage::due_for_job(stage.pool(), jobs[2]).await.unwrap();
    let lost: Vec<String> = lost.into_iter().map(|row| row.id).collect();
    usage::freeze(stage.pool(), &lost, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(stage.pool(), &lost).await.unwrap();
    assert_eq!(gas_told(&stage, &jobs[..2]).await, ["23049", "23049"]);

    let repaired = stage.reconciler().repair(&[stage.report(this_month()).await]).await;
    assert_eq!((repaired.sent, repaired.left), (lost.len(), 0));
    assert_eq!(gas_told(&stage, &jobs).await, ["23049", "23049", "23048"], "69,146 in all");
    stage.agrees(this_month()).await;
    assert_eq!(stage.event_sums().await["acme chain_confirmations"], 3, "gas is no unit");
}

#[tokio::test]
async fn a_row_from_before_says_nothing_of_gas() {
    let stage = Stage::new().await;
    stage.completes(1, 1).await;
    stage.outbox.rewrite_ledger("UPDATE usage_ledger SET gas = NULL, gas_tx_hash = NULL").await;
    stage.delivers().await;
    let events: Vec<Value> = stage.events().await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["properties"].as_object().unwrap().len() == 1), "{events:#?}");
}
