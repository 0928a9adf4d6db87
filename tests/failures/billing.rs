//! The billing system is away.

use jobs::JobStatus;
use sqlx::Row;

use crate::harness::{BILLED, NO_REPORTER, Stack, factor, until};

#[tokio::test]
async fn jobs_complete_and_their_usage_is_delivered_later() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("lago");
    let submitted = zama.submits_at_once(10).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.has(10, "COMPLETED").await;
    stack.retries(&submitted[0].workflow_id().await).await;
    for job in &submitted {
        let rows = job.usage().await;
        assert!(rows.len() == 4 && rows.iter().all(|row| row.delivered_at.is_none()), "{rows:?}");
    }
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

#[tokio::test]
async fn however_a_job_ends_its_own_workflow_bills_it() {
    let stack = Stack::with(&[
        NO_REPORTER,
        ("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "10000"),
        ("ZAMA__WORKER__MAX_COMPUTE", "4"),
    ]);
    let zama = stack.tenant();
    let outage = stack.stops("worker");
    let cancelled_early = zama.submit(&factor(91)).await;
    assert_eq!(cancelled_early.cancel().await.body["status"], "CANCELLED");
    outage.over();
    let cancelled = zama.submit(&factor(1_000_003)).await;
    cancelled.tells("paused").await;
    assert_eq!(cancelled.cancel().await.status, 200);
    let completed = zama.submit(&factor(1_000_033)).await;
    let mut short = factor(1_000_037);
    short["payload"]["parameters"]["timeout"] = 1.into();
    let failed = zama.submit(&short).await;

    completed.completes().await;
    failed.fails().await;
    cancelled.reaches(JobStatus::Cancelled).await;
    for (job, billed) in [
        (completed, BILLED.as_slice()),
        (failed, &["compute_units", "jobs_submitted"]),
        (cancelled, &["compute_units", "jobs_submitted"]),
        (cancelled_early, &["jobs_submitted"]),
    ] {
        let rows = job.is_billed().await;
        assert_eq!(rows.iter().map(|row| row.metric.as_str()).collect::<Vec<_>>(), billed);
    }
}

#[tokio::test]
async fn usage_survives_a_killed_billing_system() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    stack.kills("lago");
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn a_tenant_whose_subscription_was_ended_does_not_hold_back_the_others() {
    let stack = Stack::with(&[("ZAMA__METERING__REPORTER_SECONDS", "1")]);
    let mut tenants = [stack.tenant(), stack.tenant()];
    // Reported in this order.
    tenants.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    let [ended, other] = tenants;
    for zama in [&ended, &other] {
        zama.submit(&factor(91)).await.is_billed().await;
    }
    stack.ends_subscription(&ended.tenant).await;
    // A job of the tenant ends all the same, and is set aside row by row.
    let job = ended.submit(&factor(15)).await;
    job.completes().await;
    let aside = "SELECT count(*) FROM usage_ledger WHERE job_id = $1 AND dead_reason IS NOT NULL";
    until("nothing of it waits", async || {
        let rows = stack.rows(sqlx::query(aside).bind(job.id.0)).await;
        (rows[0].get::<i64, _>(0) == 4).then_some(())
    })
    .await;
    // What no job's own meter activity sends. By now nobody believes the subscription open, and may have sent it.
    let late = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
                SELECT t.id || ':compute_units:late', t.id, 'compute_units', 'late', 7, now() - interval '5 minutes'
                  FROM tenants t WHERE t.id IN ($1, $2)";
    assert_eq!(stack.execute(sqlx::query(late).bind(&ended.tenant).bind(&other.tenant)).await, 2);
    let undelivered = "SELECT tenant, dead_reason FROM usage_ledger WHERE segment = 'late' AND delivered_at IS NULL";
    until("the other tenant's usage is delivered, and this one's set aside", async || {
        let left = stack.rows(sqlx::query(undelivered)).await;
        let [row] = left.as_slice() else { return None };
        assert_eq!(row.get::<&str, _>("tenant"), ended.tenant);
        let reason = row.get::<Option<&str>, _>("dead_reason")?;
        assert!(reason.contains("was ended in the billing system"), "{reason}");
        Some(())
    })
    .await;
}
