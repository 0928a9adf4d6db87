//! Jobs whose workflow is gone start again under the next id, three times, then fail.

use jobs::JobStatus;
use store::lost::{self, MAX_RESTARTS, OpenJob, Recovered};
use store::starts;

use crate::outbox::{New, Outbox};

/// The open job, as the sweep finds it after its workflow was started.
async fn found(outbox: &Outbox, run: &str) -> OpenJob {
    let claimed = starts::claim(&outbox.pool, 10, 10, 60.0).await.unwrap();
    outbox.started(claimed[0].job_id, run).await;
    let mut open = lost::open_jobs(&outbox.pool, None, 0.0, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    open.remove(0)
}

#[tokio::test]
async fn it_is_started_three_times_again_then_it_fails() {
    let outbox = Outbox::new().await;
    let job = outbox.admit(New { key: "k", ..New::default() }).await.0;
    for n in 0..=MAX_RESTARTS {
        let open = found(&outbox, &format!("run-{n}")).await;
        let expected = if n == 0 { "acme/k".to_owned() } else { format!("acme/k/{n}") };
        assert_eq!(open.run.workflow_id, expected);
        let outcome = lost::recover(&outbox.pool, open.job_id, &open.run.workflow_id).await.unwrap();
        let failed = n == MAX_RESTARTS;
        assert_eq!(outcome, if failed { Recovered::Failed } else { Recovered::Restarted });
        assert_eq!(
            lost::recover(&outbox.pool, open.job_id, &open.run.workflow_id).await.unwrap(),
            Recovered::Unchanged,
            "once for a run"
        );
    }
    assert_eq!(outbox.status(job).await, JobStatus::Failed);
    assert_eq!(outbox.count("SELECT count(*) FROM jobs WHERE error_code = 'WORKFLOW_LOST'").await, 1);
    assert_eq!(outbox.count("SELECT count(*) FROM usage_ledger WHERE metric = 'compute_units'").await, 0);
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 0);
}

#[tokio::test]
async fn a_job_with_a_result_never_fails() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    for n in 0..MAX_RESTARTS {
        let open = found(&outbox, &format!("run-{n}")).await;
        assert_eq!(
            lost::recover(&outbox.pool, open.job_id, &open.run.workflow_id).await.unwrap(),
            Recovered::Restarted
        );
    }
    let open = found(&outbox, "last").await;
    assert_eq!(lost::recover(&outbox.pool, open.job_id, &open.run.workflow_id).await.unwrap(), Recovered::Unchanged);
    assert_eq!(outbox.status(job).await, JobStatus::Confirming);
    assert!(outbox.seal(9).await.is_some(), "the batcher needs no workflow");
}

#[tokio::test]
async fn only_open_jobs_with_a_certain_start_are_looked_after() {
    let outbox = Outbox::new().await;
    let open = async || lost::open_jobs(&outbox.pool, None, 0.0, 10).await.unwrap().len();
    let (unstarted, ended) = (outbox.job().await, outbox.job().await);
    assert_eq!(open().await, 0, "not started");
    outbox.started(ended, "r").await;
    assert_eq!(open().await, 1);
    assert!(lost::open_jobs(&outbox.pool, None, 60.0, 10).await.unwrap().is_empty(), "it moved a moment ago");
    assert!(lost::open_jobs(&outbox.pool, Some(ended), 0.0, 10).await.unwrap().is_empty(), "after the last one");
    outbox.cancel(ended).await;
    assert_eq!(open().await, 0, "it ended");
    assert_eq!(outbox.status(unstarted).await, JobStatus::Pending);
}

#[tokio::test]
async fn a_job_that_ended_meanwhile_stays_ended() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let open = found(&outbox, "r").await;
    outbox.cancel(job).await;
    assert_eq!(lost::recover(&outbox.pool, open.job_id, &open.run.workflow_id).await.unwrap(), Recovered::Unchanged);
    assert_eq!(outbox.count("SELECT count(*) FROM job_starts").await, 0);
}
