//! A change of state and its usage stand and fall together: while the ledger takes no row, nothing else happens either.

use jobs::ErrorCode;
use jobs::{JobId, JobStatus, Step};
use store::StoreError;
use store::admission::Admitted;
use store::batches::{self, Anchor};
use store::compute::{self, Computed};
use store::transition::{self, Ending, Units};

use crate::outbox::{New, Outbox};

const CLOSED: &str = "ALTER TABLE usage_ledger ADD CONSTRAINT closed CHECK (false) NOT VALID";
const OPEN: &str = "ALTER TABLE usage_ledger DROP CONSTRAINT closed";

impl Outbox {
    /// All that the database says of a job.
    async fn everything(&self, job: JobId) -> String {
        let all = "SELECT jsonb_build_object(
                'job', (SELECT to_jsonb(j) FROM jobs j WHERE j.id = $1),
                'start', (SELECT to_jsonb(s) FROM job_starts s WHERE s.job_id = $1),
                'reservation', (SELECT to_jsonb(r) FROM job_reservations r WHERE r.job_id = $1),
                'events', (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id) FROM job_events e WHERE e.job_id = $1),
                'usage', (SELECT jsonb_agg(to_jsonb(u) ORDER BY u.id) FROM usage_ledger u WHERE u.job_id = $1),
                'confirmation', (SELECT to_jsonb(c) FROM confirmations c WHERE c.job_id = $1),
                'batch', (SELECT to_jsonb(b) FROM batches b JOIN confirmations c ON c.batch_id = b.id WHERE c.job_id = $1),
                'returned', (SELECT count(*) FROM unit_returns)
            )::text";
        sqlx::query_scalar(all).bind(job.0).fetch_one(&self.pool).await.unwrap()
    }

    /// While the ledger takes no row, `change` fails and has changed nothing; afterwards it does what it does.
    async fn needs_the_ledger<T: std::fmt::Debug>(
        &self,
        job: JobId,
        change: impl AsyncFn() -> Result<T, StoreError>,
    ) -> T {
        let before = self.everything(job).await;
        self.execute(CLOSED).await;
        let failed = change().await.expect_err("the ledger takes no row");
        assert!(matches!(failed, StoreError::Database(_)), "{failed:?}");
        assert!(format!("{failed:?}").contains("closed"), "for this reason and no other: {failed:?}");
        assert_eq!(self.everything(job).await, before);
        self.execute(OPEN).await;
        let done = change().await.unwrap();
        assert_ne!(self.everything(job).await, before);
        done
    }
}

#[tokio::test]
async fn without_its_usage_no_job_is_admitted() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    let rows =
        "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM job_starts) + (SELECT count(*) FROM job_events)
                     + (SELECT count(*) FROM job_reservations) + (SELECT count(*) FROM idempotency_keys)
                     + (SELECT count(*) FROM audit_notes) + (SELECT count(*) FROM usage_ledger)";
    let before = outbox.count(rows).await;
    outbox.execute(CLOSED).await;
    let (_, failed) = outbox.tries(New { key: "k", ..New::default() }).await;
    assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
    assert_eq!(outbox.count(rows).await, before);
    outbox.execute(OPEN).await;
    let (job, admitted) = outbox.admit(New { key: "k", ..New::default() }).await;
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
    assert_eq!(outbox.status(job).await, JobStatus::Pending);
}

#[tokio::test]
async fn without_its_usage_no_result_is_kept() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    outbox.begin(job).await;
    let computed =
        Computed { bytes: b"{}", hash: [2; 32], media_type: "application/json", compute_units: 5, salt: [3; 32] };
    let finish = async || compute::finish(&outbox.pool, job, &computed).await;
    assert_eq!(outbox.needs_the_ledger(job, finish).await, Step::Confirm);
    assert_eq!(outbox.usage(job).await, [("compute_units".to_owned(), 5), ("jobs_submitted".to_owned(), 1)]);
}

#[tokio::test]
async fn without_its_usage_no_job_ends() {
    let outbox = Outbox::new().await;
    let failed = Ending::Failed { code: ErrorCode::DeadlineExceeded, detail: "late".to_owned() };
    for (ending, status) in [(failed, JobStatus::Failed), (Ending::Cancelled, JobStatus::Cancelled)] {
        let job = outbox.job().await;
        outbox.begin(job).await;
        let conclude = async || transition::conclude(&outbox.pool, job, &ending, Units::plain(2)).await;
        assert_eq!(outbox.needs_the_ledger(job, conclude).await, Step::Ended(status));
        assert_eq!(outbox.usage(job).await, [("compute_units".to_owned(), 2), ("jobs_submitted".to_owned(), 1)]);
    }
}

#[tokio::test]
async fn without_its_usage_no_batch_completes() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let anchor = Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None };
    let complete = async || batches::complete(&outbox.pool, batch, &anchor).await;
    assert_eq!(outbox.needs_the_ledger(job, complete).await.len(), 1);
    assert_eq!(outbox.status(job).await, JobStatus::Completed);
    assert_eq!(outbox.usage(job).await.len(), 4);
}
