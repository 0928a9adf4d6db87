//! Ledger and billing system are compared by a schedule: what an operator sees of it.

use crate::harness::{RECONCILIATION, Stack, factor};

#[tokio::test]
async fn a_schedule_compares_the_books_every_hour_and_its_runs_tell_what_they_found() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    job.is_billed().await;
    let described = stack.schedule(RECONCILIATION).await;
    assert!(!described.paused());
    let schedule = described.raw().schedule.as_ref().unwrap();
    let seconds: Vec<i64> =
        schedule.spec.as_ref().unwrap().interval.iter().map(|one| one.interval.as_ref().unwrap().seconds).collect();
    let policies = schedule.policies.as_ref().unwrap();
    let window = policies.catchup_window.as_ref().unwrap().seconds;
    assert_eq!(
        (seconds, policies.overlap_policy, window),
        (vec![3600], 1, 60),
        "hourly, one at a time, none made up for"
    );

    let began = chrono::Utc::now();
    let run = stack.triggers(RECONCILIATION).await;
    assert!(run.starts_with(&format!("{RECONCILIATION}-2")), "{run}");
    let found = stack.result(&run).await;
    let months = found["months"].as_array().unwrap();
    assert_eq!(months.len(), 2, "the open one, and the one before: {found}");
    assert!(months[0]["tenants"].as_u64() > Some(0), "{found}");
    let named = months[0]["named"].as_array().unwrap();
    let own = format!("{} ", zama.tenant);
    assert!(!named.iter().any(|metric| metric.as_str().unwrap().starts_with(&own)), "{found}");
    let details = stack.current_details(&run);
    assert!(details.contains(" tenants compared, ") && details.contains(" dead letters"), "{details}");

    for month in months {
        let gauge = format!("zama_billing_drift{{month={}}}", month["month"]);
        assert!(stack.gauge(&gauge).await.is_some(), "{gauge}");
    }
    let at = stack.gauge("zama_billing_reconciled_timestamp_seconds").await;
    assert!(at >= Some(began.timestamp() as f64), "{at:?}");
}
