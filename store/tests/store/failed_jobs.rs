//! Failed jobs on chain: where the tenant wants it, and without any other change to them.

use jobs::leaf::{Leaf, LeafStatus, salted_content_hash};
use jobs::{ErrorCode, JobId, JobStatus, Step, merkle};
use store::batches::{self, Anchor, Gas, Horizon};
use store::sealing::LeafJob;
use store::tenants::{FailedJobs, failed_jobs, set_failed_jobs};
use store::transition::{self, Ending, Units};
use store::{receipts, sealing};
use uuid::Uuid;

use crate::outbox::{Outbox, note_of};

async fn set(outbox: &Outbox, to: FailedJobs) -> Option<FailedJobs> {
    let tenant = "acme".parse().unwrap();
    set_failed_jobs(&outbox.pool, &tenant, to, &note_of(&tenant)).await.unwrap()
}

/// An outbox whose tenant has its failed jobs confirmed.
async fn confirming_failures() -> Outbox {
    let outbox = Outbox::new().await;
    outbox.job().await;
    assert_eq!(set(&outbox, FailedJobs::Confirmed).await, Some(FailedJobs::LeftOut), "off unless it is asked for");
    outbox
}

async fn fails(outbox: &Outbox, code: ErrorCode) -> JobId {
    let job = outbox.job().await;
    outbox.begin(job).await;
    let ending = Ending::Failed { code, detail: "It has no result.".to_owned() };
    let step = transition::conclude(&outbox.pool, job, &ending, Units::plain(3)).await.unwrap();
    assert_eq!(step, Step::Ended(JobStatus::Failed));
    job
}

fn anchor(block: i64) -> Anchor {
    Anchor { tx_hash: [4; 32], block_number: block, block_hash: [5; 32], gas: None }
}

async fn version(outbox: &Outbox, job: JobId) -> i64 {
    sqlx::query_scalar("SELECT version FROM jobs WHERE id = $1").bind(job.0).fetch_one(&outbox.pool).await.unwrap()
}

async fn told(outbox: &Outbox, job: JobId) -> i64 {
    let query = "SELECT count(*) FROM job_events WHERE job_id = $1 AND event_type = 'job.reanchored'";
    sqlx::query_scalar(query).bind(job.0).fetch_one(&outbox.pool).await.unwrap()
}

#[tokio::test]
async fn the_setting_is_the_tenant_s_and_off_at_first() {
    let outbox = Outbox::new().await;
    assert_eq!(set(&outbox, FailedJobs::Confirmed).await, None, "there is no such tenant yet");
    outbox.job().await;
    outbox.job_of("other", "normal").await;
    let of = async |tenant: &str| failed_jobs(&outbox.pool, &tenant.parse().unwrap()).await.unwrap();
    assert_eq!(of("acme").await, Some(FailedJobs::LeftOut));
    assert_eq!(set(&outbox, FailedJobs::Confirmed).await, Some(FailedJobs::LeftOut));
    assert_eq!(set(&outbox, FailedJobs::Confirmed).await, Some(FailedJobs::Confirmed), "a second time changes nothing");
    assert_eq!((of("acme").await, of("other").await), (Some(FailedJobs::Confirmed), Some(FailedJobs::LeftOut)));
    assert_eq!(of("nobody").await, None);
}

#[tokio::test]
async fn without_the_setting_a_failed_job_is_in_no_batch() {
    let outbox = Outbox::new().await;
    fails(&outbox, ErrorCode::ComputeFailed).await;
    assert_eq!(outbox.seal(9).await, None);
    assert_eq!(outbox.count("SELECT count(*) FROM confirmations").await, 0);
}

#[tokio::test]
async fn a_job_that_failed_before_the_setting_stays_as_it_is() {
    let outbox = Outbox::new().await;
    fails(&outbox, ErrorCode::ComputeFailed).await;
    set(&outbox, FailedJobs::Confirmed).await;
    assert_eq!(outbox.seal(9).await, None);
}

#[tokio::test]
async fn a_failed_job_is_sealed_with_others_and_stays_failed() {
    let outbox = confirming_failures().await;
    let completed = outbox.confirming().await;
    let failed = fails(&outbox, ErrorCode::ComputeFailed).await;
    let ours = fails(&outbox, ErrorCode::WorkflowLost).await;
    let (usage, before) = (outbox.usage(failed).await, version(&outbox, failed).await);
    let (batch, size) = outbox.seal(9).await.unwrap();
    assert_eq!(size, 3);
    let leaves = sealing::leaves(&outbox.pool, batch).await.unwrap();
    assert_eq!(leaves.iter().map(|leaf| leaf.job_id).collect::<Vec<_>>(), [completed, failed, ours]);
    let statuses: Vec<LeafStatus> = leaves.iter().map(|leaf| leaf.leaf_status).collect();
    assert_eq!(statuses, [LeafStatus::Completed, LeafStatus::Failed, LeafStatus::Failed]);
    let leaf = leaves[1].leaf();
    assert!(leaf.result_hash.is_zero() && leaf.handle.is_zero());
    assert_eq!(leaf.content_hash, salted_content_hash(leaves[1].salt.into(), leaves[1].content_hash.into()));
    assert_ne!(leaves[1].salt, leaves[2].salt, "each has its own");

    let done = batches::complete(&outbox.pool, batch, &anchor(7)).await.unwrap();
    assert_eq!(done.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [completed], "nothing waits for a failed one");
    assert_eq!(outbox.status(failed).await, JobStatus::Failed);
    let error: String = sqlx::query_scalar("SELECT error_code FROM jobs WHERE id = $1")
        .bind(failed.0)
        .fetch_one(&outbox.pool)
        .await
        .unwrap();
    assert_eq!(error, "COMPUTE_FAILED");
    assert_eq!(outbox.usage(failed).await, usage, "its confirmation costs nothing");
    assert!(version(&outbox, failed).await > before + 1, "sealed and confirmed: its answer's tag changed");
    assert_eq!(told(&outbox, failed).await, 0, "it stands where it stood");
}

/// Whose part of the gas the others of its batch bear, as far as there are others.
#[tokio::test]
async fn a_failed_job_bears_no_gas() {
    let outbox = confirming_failures().await;
    let completed = [outbox.confirming().await, outbox.confirming().await];
    fails(&outbox, ErrorCode::ComputeFailed).await;
    let gas = Some(Gas { used: 101, price: 7 });
    let (mixed, size) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, mixed, &Anchor { gas, ..anchor(7) }).await.unwrap();
    assert_eq!(size, 3);
    let borne = "SELECT job_id, gas FROM usage_ledger WHERE gas IS NOT NULL ORDER BY gas DESC";
    let borne: Vec<(Uuid, i64)> = sqlx::query_as(borne).fetch_all(&outbox.pool).await.unwrap();
    assert_eq!(borne, [(completed[0].0, 51), (completed[1].0, 50)]);

    fails(&outbox, ErrorCode::ComputeFailed).await;
    let (alone, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, alone, &Anchor { gas, tx_hash: [8; 32], ..anchor(8) }).await.unwrap();
    assert_eq!(outbox.count("SELECT sum(gas_used)::bigint FROM batches").await, 202, "the batch tells what it cost");
    assert_eq!(outbox.count("SELECT sum(gas)::bigint FROM usage_ledger").await, 101, "and it is nobody's");
}

#[tokio::test]
async fn a_failed_job_s_receipt_leads_to_the_root() {
    let outbox = confirming_failures().await;
    let failed = fails(&outbox, ErrorCode::ComputeTimeout).await;
    outbox.confirming().await;
    let tenant = "acme".parse().unwrap();
    let reader = store::jobs::Reader { tenant: &tenant, user: None };
    let find = async || receipts::find(&outbox.pool, reader, failed).await.unwrap().unwrap();
    let found = find().await;
    assert!(found.is_to_be_confirmed && found.parts.is_none());
    let (batch, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor(7)).await.unwrap();
    let found = find().await;
    let parts = found.parts.unwrap();
    let leaves: Vec<Leaf> = parts.leaves.iter().map(LeafJob::leaf).collect();
    let inclusion = merkle::Batch::seal(&leaves).unwrap().inclusion(0).unwrap();
    assert_eq!((found.status, inclusion.root.0), (JobStatus::Failed, parts.root));
    assert!(merkle::verify(inclusion.root, leaves[0].hash(), 0, 2, &inclusion.proof));
}

#[tokio::test]
async fn a_failed_job_is_told_of_another_block() {
    let outbox = confirming_failures().await;
    let failed = fails(&outbox, ErrorCode::ComputeFailed).await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor(7)).await.unwrap();
    batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    assert!(batches::complete(&outbox.pool, batch, &anchor(9)).await.unwrap().is_empty());
    assert_eq!((told(&outbox, failed).await, outbox.status(failed).await), (1, JobStatus::Failed));
}

#[tokio::test]
async fn a_cancelled_job_is_never_confirmed() {
    let outbox = confirming_failures().await;
    let job = outbox.job().await;
    outbox.begin(job).await;
    let step = transition::conclude(&outbox.pool, job, &Ending::Cancelled, Units::plain(1)).await.unwrap();
    assert_eq!(step, Step::Ended(JobStatus::Cancelled));
    outbox.cancel(outbox.job().await).await;
    assert_eq!(outbox.seal(9).await, None);
    assert_eq!(outbox.count("SELECT count(*) FROM confirmations").await, 0);
}
