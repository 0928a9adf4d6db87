//! A batch is on chain: all its jobs are completed at once.

use jobs::event::EventType;
use jobs::usage::{FIRST_SEGMENT, Metric};
use jobs::wire::Progress;
use jobs::{JobId, JobStatus};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::gas::{self, Gas};
use crate::cancel::WorkflowRun;
use crate::{StoreError, begin, events, transactions};

/// The canonical block that holds a batch's event.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub tx_hash: [u8; 32],
    pub block_number: i64,
    pub block_hash: [u8; 32],
    /// What the transaction cost; `None` where the node does not know any more.
    pub gas: Option<Gas>,
}

/// Completes a batch: every one of its jobs that still waits becomes COMPLETED, with event, usage, its share of the gas
/// and settled reservation, in one transaction. Returns the workflow runs that wait for it. A batch that another process
/// completed meanwhile stays as it is.
///
/// # Errors
/// The database is away; then nothing was completed.
pub async fn complete(
    pool: &PgPool,
    batch: Uuid,
    anchor: &Anchor,
) -> Result<Vec<(JobId, Option<WorkflowRun>)>, StoreError> {
    let mut tx = begin(pool).await?;
    let was_confirmed = sqlx::query_scalar!(
        r#"SELECT confirmed_at IS NOT NULL AS "was!" FROM batches WHERE id = $1 FOR UPDATE"#,
        batch
    )
    .fetch_optional(&mut *tx)
    .await?
    .unwrap_or_default();
    let won = sqlx::query!(
        "UPDATE batches SET status = 'CONFIRMED', tx_hash = $2, block_number = $3, block_hash = $4, confirmed_at = now()
          WHERE id = $1 AND status IN ('SEALED', 'SENT')",
        batch,
        &anchor.tx_hash[..],
        anchor.block_number,
        &anchor.block_hash[..]
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if won == 0 {
        return Ok(Vec::new());
    }
    transactions::confirm(&mut tx, anchor).await?;
    if !was_confirmed {
        gas::note(&mut tx, batch, anchor).await?;
    }
    let mut jobs = sqlx::query!(
        "UPDATE jobs j SET status = 'COMPLETED', completed_at = now(), updated_at = now(), version = version + 1,
                           progress_percent = 100, progress_stage = $2, progress_detail = ''
           FROM confirmations c
          WHERE c.batch_id = $1 AND j.id = c.job_id AND j.status = 'CONFIRMING'
         RETURNING j.id, j.tenant, j.current_workflow_id, j.workflow_run_id, c.leaf_index",
        batch,
        Progress::DONE
    )
    .fetch_all(&mut *tx)
    .await?;
    // In the order of the leaves: what does not divide is borne by the first ones.
    jobs.sort_by_key(|job| job.leaf_index);
    tell_the_others(&mut tx, batch, anchor, was_confirmed).await?;
    let unshared = gas::unshared(&mut tx, batch).await?;
    let shares = unshared.as_ref().map_or_else(Vec::new, |gas| gas.shares(jobs.len()));
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let tenants: Vec<String> = jobs.iter().map(|job| job.tenant.clone()).collect();
    let metrics = [Metric::JobsCompleted, Metric::ChainConfirmations].map(|metric| metric.as_str().to_owned());
    let event = events::status_change(Some(JobStatus::Confirming), JobStatus::Completed, None)?;
    sqlx::query!(
        "WITH done AS (SELECT * FROM unnest($1::uuid[], $2::text[], $7::bigint[]) AS d (job_id, tenant, gas)),
              usage AS (
                  INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, gas, gas_tx_hash)
                  SELECT d.job_id || ':' || m.metric || ':' || $4, d.tenant, d.job_id, m.metric, $4, 1,
                         CASE WHEN m.metric = $9 THEN d.gas END,
                         CASE WHEN m.metric = $9 AND d.gas IS NOT NULL THEN $8::bytea END
                    FROM done d CROSS JOIN unnest($3::text[]) AS m (metric)
              ),
              settled AS (DELETE FROM job_reservations r USING done d WHERE r.job_id = d.job_id)
         INSERT INTO job_events (job_id, tenant, event_type, data)
         SELECT d.job_id, d.tenant, $6, $5 FROM done d",
        &ids,
        &tenants,
        &metrics[..],
        FIRST_SEGMENT,
        event,
        EventType::Status.as_str(),
        &shares,
        unshared.as_ref().map(|gas| &gas.tx_hash[..]),
        Metric::ChainConfirmations.as_str()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let waiting = jobs.into_iter().map(|job| {
        let workflow_id = job.current_workflow_id;
        (JobId(job.id), job.workflow_run_id.map(|run_id| WorkflowRun { workflow_id, run_id }))
    });
    Ok(waiting.collect())
}

/// Tells the jobs whose status and usage stay as they are: those that were COMPLETED in an earlier transaction and whose
/// batch stands in another block now, and failed ones, whose receipt there is from now on.
async fn tell_the_others(
    tx: &mut PgConnection,
    batch: Uuid,
    anchor: &Anchor,
    was_confirmed: bool,
) -> Result<(), StoreError> {
    let event = json!({
        "tx_hash": alloy::primitives::B256::from(anchor.tx_hash),
        "block_number": anchor.block_number,
        "block_hash": alloy::primitives::B256::from(anchor.block_hash),
    });
    sqlx::query!(
        "WITH told AS (
             UPDATE jobs j SET version = version + 1, updated_at = now()
               FROM confirmations c
              WHERE c.batch_id = $1 AND j.id = c.job_id
                AND (j.status = 'COMPLETED' AND j.completed_at < now() OR j.status = 'FAILED')
             RETURNING j.id, j.tenant, j.status
         )
         INSERT INTO job_events (job_id, tenant, event_type, data)
         SELECT t.id, t.tenant, 'job.reanchored', $2 FROM told t WHERE t.status = 'COMPLETED' OR $3",
        batch,
        event,
        was_confirmed
    )
    .execute(tx)
    .await?;
    Ok(())
}
