//! What an operator reads of the batcher in Temporal.

use serde_json::json;
use sqlx::Row;

use crate::harness::{CONFIRMER, Stack, factor, until};

/// Under `chain.low_balance_eth`, and far more than a batch costs.
const LITTLE: u128 = 50_000_000_000_000_000;

/// Its heartbeat is a second old, its workflow's details a shift.
#[tokio::test]
async fn heartbeat_and_details_tell_batch_wait_transaction_and_balance() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let batcher = stack.batcher();
    let first = zama.submit(&factor(91)).await;
    first.completes().await;
    let last = first.receipt().await.tx_hash.to_string();
    stack.stops_mining().await;
    stack.sets_balance(CONFIRMER, LITTLE).await;
    let job = zama.submit(&factor(93)).await;
    stack.waiting_transaction().await;
    let (batch, since) = waits(&stack).await;

    let told = until("the heartbeat tells of the batch and of the balance", async || {
        stack.heartbeat(&batcher).await.filter(|told| told["current_batch"] == batch && told["balance_is_low"] == true)
    })
    .await;
    assert_eq!(told["balance"], "0.050000000000000000 ETH", "{told}");
    assert_eq!(told["last_transaction"], last.as_str(), "{told}");
    // Who waits is looked at every few seconds: until then the first job is told.
    until("the heartbeat tells since when the job waits", async || {
        let told = stack.heartbeat(&batcher).await?;
        let told: chrono::DateTime<chrono::Utc> = told["oldest_waiting_since"].as_str()?.parse().unwrap();
        (told == since).then_some(())
    })
    .await;
    // They are written at the end of a shift, whose balance may be from before.
    let parts = [
        batch.as_str(),
        "unconfirmed since ",
        last.as_str(),
        "0.050000000000000000 ETH (low)",
        stack.registry.as_str(),
    ];
    until("the workflow's details tell the same", async || {
        let details = stack.current_details_if_any(&batcher)?;
        parts.iter().all(|part| details.contains(part)).then_some(())
    })
    .await;

    stack.mines().await;
    zama.recovers(&[job.id]).await;
    let landed = json!(job.receipt().await.tx_hash);
    until("the heartbeat tells that it is done and that gas was paid", async || {
        let told = stack.heartbeat(&batcher).await?;
        let idle = told["current_batch"].is_null() && told["oldest_waiting_since"].is_null();
        let paid = told["balance"] != "0.050000000000000000 ETH";
        (told["last_transaction"] == landed && idle && paid).then_some(())
    })
    .await;
}

/// The batch that is not confirmed, and since when its job has been ready.
async fn waits(stack: &Stack) -> (String, chrono::DateTime<chrono::Utc>) {
    let query = "SELECT b.id::text AS batch, c.created_at FROM batches b JOIN confirmations c ON c.batch_id = b.id
                  WHERE b.confirmed_at IS NULL";
    let rows = stack.rows(sqlx::query(query)).await;
    let [row] = rows.as_slice() else { panic!("{} batches wait", rows.len()) };
    (row.get("batch"), row.get("created_at"))
}
