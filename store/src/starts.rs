//! The outbox of workflow starts: claimed in turn between tenants, deleted when the start is certain.

use jobs::submission::JobType;
use jobs::{JobId, TenantId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::admission::job_type_of;
use crate::cancel::WorkflowRun;

/// A start that this process has claimed.
#[derive(Clone, Debug)]
pub struct PendingStart {
    pub job_id: JobId,
    pub tenant: TenantId,
    pub workflow_id: String,
    pub job_type: JobType,
    pub algorithm: String,
    pub deadline: Option<chrono::DateTime<chrono::Utc>>,
    pub timeout_seconds: i32,
    pub request_id: String,
}

/// Claims up to `per_tenant` starts of each tenant, `limit` in all, for `claim_seconds`; in the order in which they are
/// to be started: the tenants in turn, and of a tenant the highest priority first, then the oldest.
///
/// Each tenant that waits has the same share of the limit. When there are more tenants than that, chance decides who is
/// left for the next round, so that none waits for ever. Tenants are found by jumping through the index, so that one
/// tenant's backlog does not slow down another's start.
/// A claim that runs out is free for any process: that is the sweep of what a dead process left.
///
/// # Errors
/// The database is away.
pub async fn claim(
    pool: &PgPool,
    per_tenant: i64,
    limit: i64,
    claim_seconds: f64,
) -> Result<Vec<PendingStart>, StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH RECURSIVE tenants AS (
            (SELECT tenant FROM job_starts ORDER BY tenant LIMIT 1)
            UNION ALL
            SELECT (SELECT s.tenant FROM job_starts s WHERE s.tenant > t.tenant ORDER BY s.tenant LIMIT 1)
              FROM tenants t WHERE t.tenant IS NOT NULL
        ), turns AS (
            SELECT tenant, greatest(1, $2 / count(*) OVER ()) AS share
              FROM tenants WHERE tenant IS NOT NULL
             ORDER BY random() LIMIT $2
        ), next AS (
            SELECT turn.job_id
              FROM turns t
              CROSS JOIN LATERAL (
                    SELECT s.job_id FROM job_starts s
                     WHERE s.tenant = t.tenant AND s.claimed_until < now()
                     ORDER BY s.priority DESC, s.job_id
                     LIMIT least($1, t.share)
                     FOR UPDATE SKIP LOCKED
              ) turn
        ), claimed AS (
            UPDATE job_starts s
               SET claimed_until = now() + make_interval(secs => $3), attempts = attempts + 1
              FROM next WHERE s.job_id = next.job_id
            RETURNING s.job_id, s.tenant, s.priority, s.workflow_id
        )
        SELECT c.job_id, c.tenant, c.workflow_id, j.job_type, j.algorithm, j.deadline, j.timeout_seconds, j.request_id
          FROM claimed c JOIN jobs j ON j.id = c.job_id
         ORDER BY row_number() OVER (PARTITION BY c.tenant ORDER BY c.priority DESC, c.job_id)
        "#,
        per_tenant,
        limit,
        claim_seconds
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PendingStart {
                job_id: JobId(row.job_id),
                tenant: row.tenant.parse().map_err(|_| StoreError::corrupt("tenant", &row.tenant))?,
                workflow_id: row.workflow_id,
                job_type: job_type_of(&row.job_type)?,
                algorithm: row.algorithm,
                deadline: row.deadline,
                timeout_seconds: row.timeout_seconds,
                request_id: row.request_id,
            })
        })
        .collect()
}

/// Takes confirmed starts out of the outbox and notes their run ids. A start that was noted so late that its job goes on
/// under another workflow by now changes nothing: the newer start is still to be made.
///
/// # Errors
/// The database is away; the starts are then repeated and found to exist.
pub async fn confirm(pool: &PgPool, started: &[(JobId, WorkflowRun)]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = started.iter().map(|(job, _)| job.0).collect();
    let (workflows, runs): (Vec<String>, Vec<String>) =
        started.iter().map(|(_, run)| (run.workflow_id.clone(), run.run_id.clone())).unzip();
    sqlx::query!(
        r#"
        WITH started AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS s (job_id, workflow_id, run_id)),
             taken AS (DELETE FROM job_starts d USING started s
                        WHERE d.job_id = s.job_id AND d.workflow_id = s.workflow_id)
        UPDATE jobs j SET workflow_run_id = s.run_id
          FROM started s WHERE j.id = s.job_id AND j.current_workflow_id = s.workflow_id
        "#,
        &ids,
        &workflows,
        &runs
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives claims back, so that the next round tries them again.
///
/// # Errors
/// The database is away; the claims then run out by themselves.
pub async fn release(pool: &PgPool, jobs: &[JobId], delay_seconds: f64) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.0).collect();
    sqlx::query!(
        "UPDATE job_starts SET claimed_until = now() + make_interval(secs => $2) WHERE job_id = ANY($1)",
        &ids,
        delay_seconds
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Starts that wait now: the backlog.
///
/// # Errors
/// The database is away.
pub async fn backlog(pool: &PgPool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM job_starts"#).fetch_one(pool).await?)
}
