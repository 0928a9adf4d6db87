//! `job_events`: each change once, in order, with its transaction.

use crate::outbox::Outbox;
use crate::patience::until;

#[tokio::test]
async fn a_jobs_life_is_told_in_order() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let anchor = store::batches::Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None };
    store::batches::complete(&outbox.pool, batch, &anchor).await.unwrap();

    let told: Vec<(Option<String>, String)> =
        sqlx::query_as("SELECT data->>'previous', data->>'status' FROM job_events WHERE job_id = $1 ORDER BY xid, id")
            .bind(job.0)
            .fetch_all(&outbox.pool)
            .await
            .unwrap();
    let steps = ["PENDING", "PROCESSING", "CONFIRMING", "COMPLETED"];
    let mut previous = None;
    for (step, (left, entered)) in steps.iter().zip(&told) {
        assert_eq!((left.as_deref(), entered.as_str()), (previous, *step));
        previous = Some(*step);
    }
    assert_eq!(told.len(), steps.len());
}

#[tokio::test]
async fn an_event_stands_in_the_transaction_of_its_change() {
    let outbox = Outbox::new().await;
    outbox.job().await;
    outbox.cancel(outbox.job().await).await;
    let strays = "SELECT count(*) FROM job_events e JOIN jobs j ON j.id = e.job_id
                   WHERE e.xid::text::bigint = j.xmin::text::bigint AND e.data->>'status' = j.status";
    assert_eq!(outbox.count(strays).await, 2, "the row's last writer wrote the event");
}

#[tokio::test]
async fn a_reader_that_stops_at_the_oldest_open_transaction_misses_nothing() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    eventually_read(&outbox, 1).await;
    let mut slow = store::begin(&outbox.pool).await.unwrap();
    sqlx::query("INSERT INTO job_events (job_id, tenant, event_type, data) VALUES ($1, 'acme', 'job.progress', '{}')")
        .bind(job.0)
        .execute(&mut *slow)
        .await
        .unwrap();
    outbox.job().await;
    assert!(outbox.count(READ).await <= 1, "the later event waits for the earlier one");
    slow.commit().await.unwrap();
    eventually_read(&outbox, 3).await;
}

const READ: &str = "SELECT count(*) FROM job_events WHERE xid < pg_snapshot_xmin(pg_current_snapshot())";

/// Transactions of other databases hold a reader back as well, for as long as they are open.
async fn eventually_read(outbox: &Outbox, events: i64) {
    until(&format!("{events} events are read"), async || (outbox.count(READ).await == events).then_some(())).await;
}
