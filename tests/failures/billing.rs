//! The billing system is away.

use futures::future::join_all;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn jobs_complete_and_their_usage_is_delivered_later() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("lago");
    let bodies: Vec<_> = (0..10).map(|number| factor(1_000_003 + number)).collect();
    let submitted = join_all(bodies.iter().map(|body| zama.submit(body))).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.has(10, "COMPLETED").await;
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
