//! Many jobs at once.

use std::collections::BTreeSet;

use crate::harness::{CROWD, Stack};

const JOBS: usize = 200;
/// A batch is sealed when it is full and never because it is old: how many there are does not depend on how fast jobs come.
const SETTINGS: &[(&str, &str)] =
    &[("ZAMA__CHAIN__BATCH_MAX_JOBS", "100"), ("ZAMA__CHAIN__BATCH_MAX_AGE_MS", "3600000"), CROWD[0], CROWD[1]];
const BATCHES: usize = JOBS / 100;

#[tokio::test]
async fn two_hundred_jobs_at_once_are_each_confirmed_and_billed_once() {
    let stack = Stack::with(SETTINGS);
    let zama = stack.tenant();
    let submitted = zama.submits_at_once(JOBS).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.has(JOBS, "COMPLETED").await;

    zama.all_complete_confirmed_and_billed_once(&ids).await;
    let jobs = zama.jobs().await;
    assert_eq!(jobs.len(), JOBS);
    let roots: BTreeSet<_> = jobs.iter().map(|job| job.blockchain_confirmation.as_ref().unwrap().merkle_root).collect();
    assert_eq!(roots.len(), BATCHES, "full batches alone");
    // The jobs of a batch bear the gas of its transaction, to the last unit.
    let transactions: BTreeSet<_> =
        jobs.iter().filter_map(|job| job.blockchain_confirmation.as_ref()?.tx_hash).collect();
    let borne = stack.gas_borne(&zama.tenant).await;
    assert_eq!(borne.keys().copied().collect::<BTreeSet<_>>(), transactions);
    for (transaction, gas) in borne {
        assert_eq!(gas, stack.gas_used(transaction).await, "{transaction}");
    }
    // Some of a large batch, not all: each costs two calls of the chain.
    for job in submitted.iter().step_by(50) {
        stack.verifies(&job.receipt().await).await;
    }
}
