//! Everything is delivered once, whatever fails meanwhile.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::json;
use sqlx::AssertSqlSafe;
use store::usage;

use crate::chance::Chance;
use crate::stage::{ACME, Stage, TENANTS, reports, this_month};
use crate::unreliable::{FAULTS, Unreliable};

/// Rows of a job, as one that completes has them.
const METRICS: &str =
    "('jobs_submitted', 1), ('compute_units', 1 + n % 7), ('jobs_completed', 1), ('chain_confirmations', 1)";

/// How many jobs' usage; `make billing-at-length` has more.
fn jobs() -> u32 {
    std::env::var("ZAMA_TEST_USAGE_JOBS").ok().and_then(|number| number.parse().ok()).unwrap_or(10_000)
}

/// Usage of so many jobs, a second ago; the tenants have them in turn.
pub async fn used_by_jobs(stage: &Stage, tenants: &[&str], numbers: RangeInclusive<u32>) {
    let tenants: Vec<String> = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
    let (first, last) = (numbers.start(), numbers.end());
    let insert = format!(
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
         SELECT 'job-' || n || ':' || m.metric || ':0', ($1::text[])[1 + n % cardinality($1::text[])],
                m.metric, '0', m.units, now() - interval '1 second'
           FROM generate_series({first}, {last}) AS n CROSS JOIN LATERAL (VALUES {METRICS}) AS m (metric, units)"
    );
    sqlx::query(AssertSqlSafe(insert)).bind(tenants).execute(stage.pool()).await.unwrap();
}

/// What the ledger says by tenant and metric, by plain SQL.
pub async fn ledger_sums(stage: &Stage) -> BTreeMap<String, i64> {
    let sums = "SELECT tenant || ' ' || metric, sum(units)::bigint FROM usage_ledger GROUP BY tenant, metric";
    sqlx::query_as::<_, (String, i64)>(sums).fetch_all(stage.pool()).await.unwrap().into_iter().collect()
}

impl Stage {
    /// The command says that the open month's books of these tenants agree, to the last row.
    pub async fn is_reconciled(&self, tenants: &[&str]) {
        let told = self.runs(&["--json", "billing", "reconcile"]).await.ends(0).json();
        let books = told["tenants"].as_array().unwrap();
        assert_eq!(books.iter().map(|book| book["tenant"].as_str().unwrap()).collect::<Vec<_>>(), tenants);
        for book in books {
            let lines = book["lines"].as_array().unwrap();
            assert_eq!((&book["waiting"], lines.len()), (&json!(0), 7), "{book:#}");
            for line in lines {
                assert_eq!((&line["ledger"], &line["waiting"]), (&line["events"], &json!("0")), "{line:#}");
                assert_eq!(line["billed"], line["events"], "{line:#}");
            }
        }
    }
}

#[tokio::test]
async fn no_fault_loses_a_row_or_bills_one_twice() {
    let stage = Stage::of_several().await;
    used_by_jobs(&stage, &TENANTS, 1..=jobs()).await;
    let way = Unreliable::before(&stage.origin, Chance::new().below(u64::MAX)).await;
    let reporter = stage.reporter_to(&way.origin);
    while reports(stage.pool(), &reporter).await {}
    assert_eq!(way.seen.kinds(), FAULTS, "every fault happened");
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    stage.is_reconciled(&TENANTS).await;
}

#[tokio::test]
async fn what_was_lost_in_lago_is_found_and_sent_again() {
    let stage = Stage::new().await;
    used_by_jobs(&stage, &[ACME], 1..=3).await;
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
    used_by_jobs(&stage, &[ACME], 1..=1).await;
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
