//! Many jobs at once.

use std::collections::BTreeSet;

use crate::harness::Stack;

const JOBS: usize = 200;

#[tokio::test]
async fn two_hundred_jobs_at_once_are_each_confirmed_and_billed_once() {
    let zama = Stack::shared().tenant();
    let submitted = zama.submits_a_crowd(JOBS).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.has(JOBS, "COMPLETED").await;

    zama.all_complete_confirmed_and_billed_once(&ids).await;
    let jobs = zama.jobs().await;
    assert_eq!(jobs.len(), JOBS);
    let roots: BTreeSet<_> = jobs.iter().map(|job| job.blockchain_confirmation.as_ref().unwrap().merkle_root).collect();
    println!("{JOBS} jobs in {} batches", roots.len());
    // How many is up to the machine: where jobs come slowly, no batch waits for them.
    assert!(roots.len() < JOBS, "each of {JOBS} jobs in a batch of its own");
    // The jobs of a batch bear the gas of its transaction, to the last unit.
    let transactions: BTreeSet<_> =
        jobs.iter().filter_map(|job| job.blockchain_confirmation.as_ref()?.tx_hash).collect();
    let borne = Stack::shared().gas_borne(&zama.tenant).await;
    assert_eq!(borne.keys().copied().collect::<BTreeSet<_>>(), transactions);
    for (transaction, gas) in borne {
        assert_eq!(gas, Stack::shared().gas_used(transaction).await, "{transaction}");
    }
    // Some of a large batch, not all: each costs two calls of the chain.
    for job in submitted.iter().step_by(50) {
        Stack::shared().verifies(&job.receipt().await).await;
    }
}
