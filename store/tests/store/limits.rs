//! Limits under many admissions at once, over pools of their own as processes have them.

use futures::future::join_all;
use jobs::JobId;
use jobs::usage::Metric;
use store::admission::Admitted;
use store::limits::{self, AdmissionLimits, Ceilings, Limited, nodes};

use crate::outbox::{New, Outbox};

/// Units that a job of [`Outbox`] reserves.
const UNITS: u64 = 2;

fn at_most_active(most: u32) -> AdmissionLimits {
    AdmissionLimits { active_jobs: Some(most), ..AdmissionLimits::default() }
}

fn up_to(compute: u64) -> AdmissionLimits {
    let units = Some(Ceilings { compute, fhe: u64::MAX });
    AdmissionLimits { units, ..AdmissionLimits::default() }
}

/// Three processes of the API on one database.
fn nodes_of(outbox: &Outbox) -> [Outbox; 3] {
    std::array::from_fn(|_| outbox.through_own_pool())
}

/// So many admissions at once, over all nodes; those that were admitted, and those that were not.
async fn flood(nodes: &[Outbox; 3], count: usize, limits: AdmissionLimits) -> (Vec<JobId>, usize) {
    let new = New { limits, ..New::default() };
    let answers = join_all((0..count).map(|turn| nodes[turn % 3].admit(new))).await;
    let refused = answers.iter().filter(|(_, admitted)| matches!(admitted, Admitted::Limited(_))).count();
    let admitted: Vec<JobId> =
        answers.iter().filter(|(_, admitted)| matches!(admitted, Admitted::New { .. })).map(|(id, _)| *id).collect();
    assert_eq!(admitted.len() + refused, count, "{answers:?}");
    (admitted, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_are_active_than_may_be_whoever_admits_them() {
    let outbox = Outbox::new().await;
    let nodes = nodes_of(&outbox);
    // A first one, so that tenant and user are there.
    let (first, _) = outbox.admit(New { limits: at_most_active(50), ..New::default() }).await;
    let (admitted, _) = flood(&nodes, 100, at_most_active(50)).await;
    assert!(admitted.len() <= 49, "{} and one are more than 50", admitted.len());
    // Who was refused while others were under way finds place when it comes again; the last one is not lost.
    let mut active = admitted.len() + 1;
    while active < 50 {
        let (_, admitted) = outbox.admit(New { limits: at_most_active(50), ..New::default() }).await;
        assert!(matches!(admitted, Admitted::New { .. }), "{active} are active: {admitted:?}");
        active += 1;
    }
    let (_, refused) = outbox.admit(New { limits: at_most_active(50), ..New::default() }).await;
    assert!(matches!(refused, Admitted::Limited(Limited::Active(50))), "{refused:?}");
    outbox.begin(first).await;
    let (_, refused) = outbox.admit(New { limits: at_most_active(50), ..New::default() }).await;
    assert!(matches!(refused, Admitted::Limited(Limited::Active(50))), "{refused:?}");
    outbox.finish(first).await;
    let (admitted, _) = flood(&nodes, 20, at_most_active(50)).await;
    assert_eq!(admitted.len(), 1, "one place was given free");
}

#[tokio::test]
async fn a_lower_limit_counts_for_those_that_are_active_already() {
    let outbox = Outbox::new().await;
    for _ in 0..5 {
        let (_, admitted) = outbox.admit(New { limits: at_most_active(5), ..New::default() }).await;
        assert!(matches!(admitted, Admitted::New { .. }));
    }
    let (_, refused) = outbox.admit(New { limits: at_most_active(3), ..New::default() }).await;
    assert!(matches!(refused, Admitted::Limited(Limited::Active(3))), "{refused:?}");
    let (_, admitted) = outbox.admit(New { limits: at_most_active(6), ..New::default() }).await;
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_units_of_a_month_are_used_to_the_last_and_no_further() {
    let outbox = Outbox::new().await;
    let nodes = nodes_of(&outbox);
    let (_, first) = outbox.admit(New { limits: up_to(201), ..New::default() }).await;
    assert!(matches!(first, Admitted::New { month: Some(held) } if held.compute == UNITS), "{first:?}");
    let (admitted, refused) = flood(&nodes, 200, up_to(201)).await;
    assert_eq!((admitted.len(), refused), (99, 101), "{} units of 201", (admitted.len() as u64 + 1) * UNITS);
    let (_, refused) = outbox.admit(New { limits: up_to(201), ..New::default() }).await;
    let last = Limited::Units { metric: Metric::ComputeUnits, wanted: UNITS, left: 1 };
    assert!(matches!(refused, Admitted::Limited(limited) if limited == last), "{refused:?}");
    assert_eq!(outbox.held().await, 200);

    // What is given back is there for others, under a new ceiling too.
    for id in &admitted[..10] {
        outbox.cancel(*id).await;
    }
    assert_eq!(outbox.held().await, 180);
    let (admitted, _) = flood(&nodes, 40, up_to(201)).await;
    assert_eq!(admitted.len(), 10);
    let (admitted, _) = flood(&nodes, 40, up_to(220)).await;
    assert_eq!(admitted.len(), 10);
    let (admitted, _) = flood(&nodes, 10, up_to(100)).await;
    assert_eq!(admitted.len(), 0);
    assert_eq!(outbox.held().await, 220);
}

#[tokio::test]
async fn admissions_of_a_tenant_do_not_wait_for_each_other() {
    let outbox = Outbox::new().await;
    let limits = AdmissionLimits { active_jobs: Some(50), ..up_to(10_000) };
    outbox.admit(New { limits, ..New::default() }).await;
    // One that is under way holds a place and a shard.
    let mut under_way = store::begin(&outbox.pool).await.unwrap();
    sqlx::query("SELECT take_active_slot('acme', 'ada', 50)").execute(&mut *under_way).await.unwrap();
    let month = "date_trunc('month', now() AT TIME ZONE 'UTC')::date";
    let take = format!("SELECT take_units('acme', {month}, 2, 0, 10000, {})", 1_u64 << 56);
    sqlx::query(sqlx::AssertSqlSafe(take)).execute(&mut *under_way).await.unwrap();
    // Of sixteen shards one is held: whoever meets it waits, and nobody else. Nobody waits for a place.
    let others = "SELECT count(*) FROM (SELECT FROM unit_shards FOR UPDATE SKIP LOCKED) free";
    assert_eq!(outbox.count(others).await, 15);
    let (_, admitted) = outbox.admit(New { limits: at_most_active(50), ..New::default() }).await;
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
    under_way.rollback().await.unwrap();
}

#[tokio::test]
async fn a_month_has_its_own_units() {
    let outbox = Outbox::new().await;
    let full = New { limits: up_to(UNITS), ..New::default() };
    assert!(matches!(outbox.admit(full).await.1, Admitted::New { .. }));
    assert!(matches!(outbox.admit(full).await.1, Admitted::Limited(_)));
    outbox.execute("UPDATE unit_shards SET month = month - interval '1 month'").await;
    outbox.execute("UPDATE job_reservations SET quota_month = quota_month - interval '1 month'").await;
    outbox.execute("UPDATE jobs SET created_at = created_at - interval '1 month'").await;
    let (second, admitted) = outbox.admit(full).await;
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
    assert!(matches!(outbox.admit(full).await.1, Admitted::Limited(_)));
    // It gives back to the month that it took from.
    outbox.cancel(second).await;
    assert!(matches!(outbox.admit(full).await.1, Admitted::New { .. }));
}

#[tokio::test]
async fn nodes_are_those_that_told_so_lately() {
    let outbox = Outbox::new().await;
    let alive = std::time::Duration::from_secs(50);
    let [first, second] = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let beat = async |node| nodes::beat(&outbox.pool, node, alive).await.unwrap();
    assert_eq!((beat(first).await, beat(first).await), (1, 1));
    assert_eq!((beat(second).await, beat(first).await), (2, 2));
    outbox.execute("UPDATE api_nodes SET seen_at = seen_at - interval '20 seconds'").await;
    assert_eq!(beat(first).await, 2, "it may still live");
    outbox.execute("UPDATE api_nodes SET seen_at = seen_at - interval '35 seconds'").await;
    assert_eq!((beat(first).await, beat(second).await), (1, 2), "who comes back counts again");
    nodes::leave(&outbox.pool, second).await.unwrap();
    assert_eq!(beat(first).await, 1);
}

impl Outbox {
    async fn held(&self) -> u64 {
        limits::held(&self.pool, &"acme".parse().unwrap(), chrono::Utc::now()).await.unwrap().compute
    }
}
