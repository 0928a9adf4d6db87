//! The billing system is away.

use crate::harness::{Stack, factor};

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
async fn usage_survives_a_killed_billing_system() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    stack.kills("lago");
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}
