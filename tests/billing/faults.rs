//! Everything is delivered once, whatever fails meanwhile.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sqlx::AssertSqlSafe;
use store::usage;

use crate::chance::Chance;
use crate::stage::{Stage, this_month};
use crate::unreliable::{FAULTS, Unreliable};

/// Rows of a job, as one that completes has them.
const METRICS: &str =
    "('jobs_submitted', 1), ('compute_units', 1 + n % 7), ('jobs_completed', 1), ('chain_confirmations', 1)";

/// How many jobs' usage; `make billing-at-length` has more.
fn jobs() -> u32 {
    std::env::var("ZAMA_TEST_USAGE_JOBS").ok().and_then(|number| number.parse().ok()).unwrap_or(10_000)
}

/// Usage of so many jobs, a second ago.
pub async fn used_by_jobs(stage: &Stage, numbers: RangeInclusive<u32>) {
    let (first, last) = (numbers.start(), numbers.end());
    let insert = format!(
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
         SELECT 'job-' || n || ':' || m.metric || ':0', 'acme', m.metric, '0', m.units, now() - interval '1 second'
           FROM generate_series({first}, {last}) AS n CROSS JOIN LATERAL (VALUES {METRICS}) AS m (metric, units)"
    );
    sqlx::query(AssertSqlSafe(insert)).execute(stage.pool()).await.unwrap();
}

/// What the ledger says, by plain SQL.
pub async fn ledger_sums(stage: &Stage) -> BTreeMap<String, i64> {
    let sums = "SELECT metric, sum(units)::bigint FROM usage_ledger GROUP BY metric";
    sqlx::query_as::<_, (String, i64)>(sums).fetch_all(stage.pool()).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn no_fault_loses_a_row_or_bills_one_twice() {
    let stage = Stage::new().await;
    used_by_jobs(&stage, 1..=jobs()).await;
    let way = Unreliable::before(&stage.origin, Chance::new().below(u64::MAX)).await;
    let delivery = stage.delivery_to(&way.origin);
    while stage.turn(&delivery).await {}
    assert_eq!(way.seen.kinds(), FAULTS, "every fault happened");
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    let report = stage.report(this_month()).await;
    assert!(!report.has_drifted(), "{report:#?}");
    assert!(report.lines.iter().all(|line| line.waiting.is_zero()) && report.lines.len() == 7, "{report:#?}");
}

#[tokio::test]
async fn what_was_lost_in_lago_is_found_and_sent_again() {
    let stage = Stage::new().await;
    used_by_jobs(&stage, 1..=3).await;
    stage.delivers().await;
    // Delivered as we know, and not there: as after a restore of Lago.
    let lost = stage.used("lost", 11, chrono::Utc::now() - chrono::TimeDelta::seconds(1)).await;
    let ids = [lost.clone()];
    usage::freeze(stage.pool(), &ids, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(stage.pool(), &ids).await.unwrap();
    // An event of its id that nobody is billed for is not it.
    let elsewhere = billing::UsageEvent {
        transaction_id: lost.clone(),
        external_subscription_id: billing::ExternalId::parse("nobody").unwrap(),
        code: billing::Metric::ComputeUnits,
        timestamp: chrono::Utc::now().timestamp(),
        value: 11u64.into(),
        gas: None,
    };
    stage.lago.send(&[elsewhere]).await.unwrap();
    let report = stage.report(this_month()).await;
    let drifting: Vec<_> = report.lines.iter().filter(|line| line.has_drifted()).collect();
    assert_eq!(drifting.len(), 1, "{report:#?}");
    assert_eq!((drifting[0].metric.as_str(), &drifting[0].missing), ("compute_units", &vec![lost]));

    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.sent, repaired.booked_anew, repaired.left), (1, 0, 0));
    stage.agrees(this_month()).await;
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
}

#[tokio::test]
async fn what_nobody_here_knows_is_left_to_a_person() {
    let stage = Stage::new().await;
    used_by_jobs(&stage, 1..=1).await;
    stage.delivers().await;
    let stranger = billing::UsageEvent {
        transaction_id: "by-hand".to_owned(),
        external_subscription_id: crate::stage::acme(),
        code: billing::Metric::ComputeUnits,
        timestamp: chrono::Utc::now().timestamp(),
        value: 5u64.into(),
        gas: None,
    };
    stage.lago.send(&[stranger]).await.unwrap();
    let report = stage.report(this_month()).await;
    let line = report.lines.iter().find(|line| line.has_drifted()).expect("a drift");
    assert_eq!(line.foreign, ["by-hand"]);
    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.sent, repaired.left), (0, 1));
    assert!(stage.report(this_month()).await.has_drifted());
}
