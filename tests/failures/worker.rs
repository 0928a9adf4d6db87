//! kill -9 of the worker at each step of a job.

use jobs::{ErrorCode, JobStatus};
use serde_json::Value;

use crate::harness::{JobHandle, NO_REPORTER, Stack, Zama, factor, long_factor, under, until};

#[tokio::test]
async fn while_it_computes() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3000")]);
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Processing).await;
    stack.kills("worker");
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    assert_eq!(stack.place.part("worker").restarts, 1);
}

/// A computation that never gets beyond its first checkpoint, unless it is resumed there.
const STUCK: &[(&str, &str)] =
    &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000"), ("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_AT", "checkpoint")];

/// Submits [`long_factor`], and waits until Temporal has it too.
async fn has_a_checkpoint<'a>(zama: &'a Zama<'a>, body: &Value) -> JobHandle<'a> {
    let job = zama.submit(body).await;
    assert!(job.tells("paused").await.progress.percent > 0.0, "nothing was computed yet");
    zama.stack.hears_of(&job.workflow_id().await).await;
    job
}

/// Submits under a quote while no worker runs, and makes the job look as if it had been promised half of what it costs.
async fn is_dearer_than_promised<'a>(zama: &'a Zama<'a>) -> JobHandle<'a> {
    let body = factor(1_000_003);
    let quote = zama.quotes(&body).await;
    let job = zama.submit(&under(&quote, &body)).await;
    let cheaper = "UPDATE jobs SET unit_ceiling = 1 WHERE id = $1 AND unit_ceiling = 2 AND status = 'PENDING'";
    assert_eq!(zama.stack.execute(sqlx::query(cheaper).bind(job.id.0)).await, 1);
    job
}

#[tokio::test]
async fn another_goes_on_from_the_checkpoint() {
    let stack = Stack::with(STUCK);
    let zama = stack.tenant();
    let job = has_a_checkpoint(&zama, &long_factor()).await;
    let quote = zama.quotes(&long_factor()).await;
    let dear = has_a_checkpoint(&zama, &under(&quote, &long_factor())).await;
    // As if the worker that takes it over had another price list.
    let cheaper = sqlx::query("UPDATE jobs SET unit_ceiling = 10 WHERE id = $1 AND unit_ceiling = 65").bind(dear.id.0);
    assert_eq!(stack.execute(cheaper).await, 1);
    let _outage = stack.stops("worker");
    let never_begun = is_dearer_than_promised(&zama).await;
    stack.kills("worker");
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    assert_eq!(stack.says_of("worker", "resuming", &job.id.to_string()), 1);

    let error = dear.fails().await.error.unwrap();
    assert_eq!(error.code, ErrorCode::CostCeilingExceeded, "{error:?}");
    assert_eq!(error.detail, "The job costs 65 compute units; its ceiling allows 10.");
    assert_eq!(stack.says_of("worker", "resuming", &dear.id.to_string()), 0, "nothing more of it was computed");
    let billed = dear.usage().await;
    assert!(billed.iter().all(|row| row.metric != "compute_units" || row.units <= 10), "{billed:?}");

    let failed = never_begun.fails().await;
    assert!(failed.result.is_none() && failed.progress.percent <= 0.0, "nothing of it was computed: {failed:?}");
    let error = failed.error.unwrap();
    assert_eq!(error.code, ErrorCode::CostCeilingExceeded, "{error:?}");
    assert_eq!(error.detail, "The job costs 2 compute units; its ceiling allows 1.");
    let billed = never_begun.usage().await;
    let billed: Vec<(&str, u64)> = billed.iter().map(|row| (row.metric.as_str(), row.units)).collect();
    assert_eq!(billed, [("compute_units", 1), ("jobs_submitted", 1)], "what was carried");
}

#[tokio::test]
async fn a_checkpoint_that_nobody_can_read_is_told_and_it_begins_anew() {
    let stack = Stack::with(STUCK);
    let zama = stack.tenant();
    let job = has_a_checkpoint(&zama, &long_factor()).await;
    let id = job.id.to_string();
    // It tells nothing more by itself.
    let _outage = stack.stops("worker");
    stack.plants_heartbeat_details(&job.workflow_id().await).await;
    stack.kills("worker");
    until("the worker complains", async || {
        (stack.says_of("worker", "heartbeat details cannot be read", &id) == 1).then_some(())
    })
    .await;
    assert_eq!(stack.says_of("worker", "resuming", &id), 0);
    assert_eq!(job.cancel().await.status, 200);
    job.reaches(JobStatus::Cancelled).await;
}

#[tokio::test]
async fn between_computation_and_confirmation() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("anvil");
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.kills("worker");
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn while_its_batch_is_on_its_way() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.holds_a_transaction().await;
    stack.kills("worker");
    stack.mines().await;
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

/// In the middle of a call that nobody answers; and nobody but another attempt of the same step sends the rows.
#[tokio::test]
async fn while_it_meters() {
    let stack = Stack::with(&[NO_REPORTER]);
    let zama = stack.tenant();
    let outage = stack.stops("lago");
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    stack.executes(&job.workflow_id().await, "meter").await;
    assert!(job.usage().await.iter().all(|row| row.delivered_at.is_none()));
    stack.kills("worker");
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}
