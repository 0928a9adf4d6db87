//! The outbox of starts: fair between tenants, ordered within one, and never claimed twice.

use std::collections::{BTreeMap, BTreeSet};

use jobs::JobId;
use store::starts::{self, PendingStart};

use crate::outbox::Outbox;

const LONG: f64 = 60.0;

fn ids(claimed: &[PendingStart]) -> Vec<JobId> {
    claimed.iter().map(|start| start.job_id).collect()
}

fn by_tenant(claimed: &[PendingStart]) -> BTreeMap<&str, usize> {
    let mut tally = BTreeMap::new();
    claimed.iter().for_each(|start| *tally.entry(start.tenant.as_str()).or_insert(0) += 1);
    tally
}

#[tokio::test]
async fn priority_orders_within_a_tenant_then_age() {
    let outbox = Outbox::new().await;
    let mut jobs = Vec::new();
    for priority in ["low", "normal", "high", "low", "normal", "high"] {
        jobs.push(outbox.job_of("acme", priority).await);
    }
    let expected: Vec<_> = [2, 5, 1, 4, 0, 3].map(|at: usize| jobs[at]).into();
    let first = starts::claim(&outbox.pool, 4, 100, LONG).await.unwrap();
    assert_eq!(ids(&first), expected[..4]);
    let rest = starts::claim(&outbox.pool, 4, 100, LONG).await.unwrap();
    assert_eq!(ids(&rest), expected[4..]);
    assert!(starts::claim(&outbox.pool, 4, 100, LONG).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_backlog_of_some_starves_no_other() {
    let outbox = Outbox::new().await;
    for tenant in ["a", "b"] {
        for _ in 0..20 {
            outbox.job_of(tenant, "high").await;
        }
    }
    outbox.job_of("c", "low").await;
    outbox.job_of("d", "low").await;

    let claimed = starts::claim(&outbox.pool, 10, 8, LONG).await.unwrap();
    assert_eq!(by_tenant(&claimed), BTreeMap::from([("a", 2), ("b", 2), ("c", 1), ("d", 1)]));
    let first: BTreeSet<_> = claimed[..4].iter().map(|start| start.tenant.as_str()).collect();
    assert_eq!(first.len(), 4, "the tenants take turns");
}

#[tokio::test]
async fn with_more_tenants_than_places_all_have_their_turn() {
    let outbox = Outbox::new().await;
    for tenant in ["a", "b", "c", "d", "e", "f"] {
        for _ in 0..12 {
            outbox.job_of(tenant, "normal").await;
        }
    }
    let mut seen = BTreeSet::new();
    for _ in 0..12 {
        let claimed = starts::claim(&outbox.pool, 10, 3, LONG).await.unwrap();
        assert_eq!(claimed.len(), 3);
        assert_eq!(by_tenant(&claimed).len(), 3);
        seen.extend(claimed.iter().map(|start| start.tenant.to_string()));
    }
    assert_eq!(seen.len(), 6, "each of six with half a chance a round: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_start_is_claimed_by_two() {
    let outbox = Outbox::new().await;
    for n in 0..90 {
        outbox.job_of(["a", "b", "c"][n % 3], "normal").await;
    }
    let process = || {
        let pool = outbox.pool.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..10 {
                mine.extend(ids(&starts::claim(&pool, 4, 9, LONG).await.unwrap()));
            }
            mine
        })
    };
    let (one, two, three) = (process(), process(), process());
    let mut all: Vec<JobId> = [one.await.unwrap(), two.await.unwrap(), three.await.unwrap()].concat();
    let claimed = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), claimed, "none twice");
    all.extend(ids(&starts::claim(&outbox.pool, 100, 300, LONG).await.unwrap()));
    assert_eq!(all.len(), 90, "and none lost");
    assert_eq!(outbox.count("SELECT max(attempts)::bigint FROM job_starts").await, 1);
}

#[tokio::test]
async fn what_a_dead_process_left_is_taken_over() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let claim = async |seconds| ids(&starts::claim(&outbox.pool, 10, 10, seconds).await.unwrap());
    assert_eq!(claim(LONG).await, [job]);
    assert!(claim(LONG).await.is_empty(), "claimed");
    let over = "UPDATE job_starts SET claimed_until = now() - interval '1 second'";
    sqlx::query(over).execute(&outbox.pool).await.unwrap();
    assert_eq!(claim(LONG).await, [job], "the claim ran out");

    starts::release(&outbox.pool, &[job], 0.0).await.unwrap();
    assert_eq!(claim(LONG).await, [job], "given back");
    starts::release(&outbox.pool, &[job], LONG).await.unwrap();
    assert!(claim(LONG).await.is_empty(), "given back for later");
    assert_eq!(starts::backlog(&outbox.pool).await.unwrap(), 1);
}

#[tokio::test]
async fn a_confirmed_start_leaves_the_outbox_with_its_run() {
    let outbox = Outbox::new().await;
    let (job, other) = (outbox.job().await, outbox.job().await);
    starts::confirm(&outbox.pool, &[(job, "run-1".to_owned())]).await.unwrap();
    assert_eq!(ids(&starts::claim(&outbox.pool, 10, 10, LONG).await.unwrap()), [other]);
    assert_eq!(outbox.count("SELECT count(*) FROM jobs WHERE workflow_run_id = 'run-1'").await, 1);
}
