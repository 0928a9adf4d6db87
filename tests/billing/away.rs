//! The billing system is away for an hour, while jobs go on.

use std::sync::Arc;

use activities::ReportUsage;
use chrono::{TimeDelta, Utc};
use store::usage;

use super::faults::ledger_sums;
use crate::stage::{ACME, Stage, reports};
use crate::unreliable::Line;

const MINUTES: u8 = 60;
const JOBS_A_MINUTE: u8 = 10;

#[tokio::test]
async fn an_hour_of_jobs_completes_without_it_and_arrives_in_order_when_it_is_back() {
    let mut stage = Stage::under_moved_clock(Utc::now() - TimeDelta::hours(3)).await;
    let line = Line::before(&stage.origin).await;
    // As a worker has it: the jobs' own activities and the reporter share the way.
    let delivery = Arc::new(stage.delivery_to(&line.origin));
    let reporter = ReportUsage { billing: Some(delivery.clone()) };
    stage.clock_is(TimeDelta::minutes(-i64::from(MINUTES) - 1)).await;
    stage.completes(1, 200).await;
    assert!(reports(stage.pool(), &reporter).await);
    assert_eq!(stage.arrivals().len(), 4, "it was there before");

    line.is_cut(true);
    for minute in 0..MINUTES {
        stage.clock_is(TimeDelta::minutes(i64::from(minute) - i64::from(MINUTES))).await;
        // Each is COMPLETED within its minute, and its own workflow cannot bill it.
        for job in stage.completes(JOBS_A_MINUTE, minute).await {
            let rows = usage::due_for_job(stage.pool(), job).await.unwrap();
            assert_eq!(rows.len(), 4);
            assert!(delivery.deliver(rows).await.is_err());
        }
        assert!(reports(stage.pool(), &reporter).await);
    }
    assert_eq!(stage.arrivals().len(), 4, "nothing arrived");
    line.is_cut(false);

    stage.clock_is(TimeDelta::zero()).await;
    while reports(stage.pool(), &reporter).await {}
    let arrivals = stage.arrivals();
    assert_eq!(arrivals.len(), 4 + usize::from(MINUTES) * usize::from(JOBS_A_MINUTE) * 4, "each once");
    assert!(arrivals.is_sorted(), "the oldest first");
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    stage.is_reconciled(&[ACME]).await;
}
