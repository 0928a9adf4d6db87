//! Clocks that somebody moves: what is used under a wrong time is billed once, in the documented place.

use activities::reconciliation::Month;
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{JobId, JobStatus};
use store::batches::{self, Anchor, Gas};
use store::usage;

use super::faults::ledger_sums;
use super::months::midnight;
use crate::stage::{Stage, this_month};

/// A clock of the test's own before the database's, and in the default of the ledger's time, which is bound when a table is
/// made.
const MOVED: &[&str] = &[
    "CREATE SCHEMA moved",
    "CREATE TABLE moved.clock AS SELECT interval '0' AS ahead",
    "CREATE FUNCTION moved.now() RETURNS timestamptz LANGUAGE sql STABLE
     RETURN (SELECT pg_catalog.now() + ahead FROM moved.clock)",
    "ALTER TABLE usage_ledger ALTER occurred_at SET DEFAULT moved.now()",
];

impl Stage {
    /// As [`Stage::since`], where database and API have a clock that [`Stage::clock_is`] moves.
    pub async fn under_moved_clock(since: DateTime<Utc>) -> Self {
        let mut stage = Self::since(since).await;
        for statement in MOVED {
            stage.outbox.execute(statement).await;
        }
        let options = stage.outbox.options().options([("search_path", "moved,pg_catalog,public")]);
        stage.outbox = stage.outbox.through(options);
        stage
    }

    /// Moves the clock, against the right time.
    pub async fn clock_is(&mut self, ahead: TimeDelta) {
        let seconds = format!("UPDATE moved.clock SET ahead = make_interval(secs => {})", ahead.num_seconds());
        sqlx::query(sqlx::AssertSqlSafe(seconds)).execute(self.pool()).await.unwrap();
        self.outbox.ahead = ahead;
    }

    /// Some jobs that are computed, confirmed in one batch, and completed.
    pub async fn completes(&self, jobs: u8, batch: u8) -> Vec<JobId> {
        let mut completed = Vec::new();
        for _ in 0..jobs {
            completed.push(self.outbox.confirming().await);
        }
        let (id, _) = self.outbox.seal(jobs.into()).await.unwrap();
        let gas = Some(Gas { used: 69_146, price: 1_000_000_007 });
        let anchor = Anchor { tx_hash: [batch; 32], block_number: batch.into(), block_hash: [batch; 32], gas };
        batches::complete(self.pool(), id, &anchor).await.unwrap();
        for job in &completed {
            assert_eq!(self.outbox.status(*job).await, JobStatus::Completed);
        }
        completed
    }

    /// The time under which a job's compute units are billed.
    async fn billed_at(&self, job: JobId) -> DateTime<Utc> {
        let row = "SELECT billed_at FROM usage_ledger WHERE job_id = $1 AND metric = 'compute_units'";
        sqlx::query_scalar(row).bind(job.0).fetch_one(self.pool()).await.unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_jumps_moves_usage_to_its_documented_place_and_nowhere_twice() {
    // In this month, in its first minute, too.
    let began = (Utc::now() - TimeDelta::minutes(1)).max(midnight());
    let mut stage = Stage::under_moved_clock(began).await;
    let delivery = stage.delivery();
    let (back, ahead) = (TimeDelta::days(-400), TimeDelta::days(40));
    let mut jobs = Vec::new();
    for (batch, clock) in (1..).zip([TimeDelta::zero(), back, ahead, TimeDelta::zero()]) {
        stage.clock_is(clock).await;
        let job = stage.completes(1, batch).await[0];
        // Its own workflow bills it, whatever time it is.
        delivery.deliver(usage::due_for_job(stage.pool(), job).await.unwrap()).await.unwrap();
        jobs.push(job);
    }
    let second = stage.billed_at(jobs[1]).await;
    assert!((second - began).abs() <= TimeDelta::seconds(1), "{second}: as of the subscription's first second");
    let third = stage.billed_at(jobs[2]).await;
    assert!(third > Utc::now() + ahead - TimeDelta::minutes(5), "{third}: when it says that it was used");

    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    assert_eq!(stage.billed(this_month()).await, "15", "five units each of three jobs");
    for month in [this_month(), Month::of(third)] {
        stage.agrees(month).await;
    }
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE delivered_at IS NULL").await, 0);
}

/// The reporter looks for what is overdue by the same clock: what seems to come from the future waits for its time.
#[tokio::test]
async fn what_was_left_by_a_clock_that_went_ahead_is_not_lost() {
    let mut stage = Stage::under_moved_clock(Utc::now() - TimeDelta::minutes(1)).await;
    stage.clock_is(TimeDelta::seconds(3600)).await;
    stage.completes(1, 1).await;
    stage.clock_is(TimeDelta::zero()).await;
    stage.delivers().await;
    assert_eq!(stage.arrivals(), Vec::<String>::new());
    stage.clock_is(TimeDelta::seconds(3601)).await;
    stage.delivers().await;
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    assert_eq!(stage.arrivals().len(), 4);
}
