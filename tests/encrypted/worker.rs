//! kill -9 of the FHE worker, and of its computing process, in the middle of a computation: once, and once too often.

use jobs::ErrorCode;

use super::story::{KeyHolder, Owner, WORKER_LIFE, bytes, disturbed, power, powers};
use super::undisturbed;
use crate::harness::{JobHandle, Stack, WORKER, until};

/// Some three seconds on two cores, with four checkpoints.
const PRODUCTS: usize = 10;
const BILLED: [&str; 5] =
    ["chain_confirmations", "compute_units", "fhe_compute_units", "jobs_completed", "jobs_submitted"];

#[derive(Debug)]
enum Victim {
    ComputingProcess,
    Worker,
}

/// Metric and units of each row, once all are delivered.
async fn billed(job: JobHandle<'_>) -> Vec<(String, u64)> {
    job.is_billed().await.into_iter().map(|row| (row.metric, row.units)).collect()
}

#[tokio::test]
async fn whoever_is_killed_another_goes_on_to_the_same_result_and_it_is_billed_once() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let inputs = holder.encrypts(bytes(&[3])).await;
    let undisturbed = holder.submits("program", powers(PRODUCTS), &inputs).await;
    let expected = undisturbed.completes().await.result.unwrap().hash;
    let price = billed(undisturbed).await;
    assert_eq!(price.iter().map(|(metric, _)| metric.as_str()).collect::<Vec<_>>(), BILLED);

    for victim in [Victim::ComputingProcess, Victim::Worker] {
        let job = holder.submits("program", powers(PRODUCTS), &inputs).await;
        stack.has_a_checkpoint(job).await;
        let killed = stack.computing_process().unwrap();
        match victim {
            Victim::ComputingProcess => killed.kill_9(),
            Victim::Worker => stack.kills(WORKER),
        }
        assert_eq!(job.completes().await.result.unwrap().hash, expected, "{victim:?}");
        assert!(!killed.is_alive(), "{victim:?} left its process behind");
        assert_eq!(stack.says_of(WORKER, "resuming", &job.id.to_string()), 1, "{victim:?}");
        assert_eq!(stack.attempts(job).await.len(), 2, "{victim:?}");
        assert_eq!(holder.opens(job).await, power(3, PRODUCTS), "{victim:?}");
        assert_eq!(billed(job).await, price, "{victim:?}");
    }
}

/// Fresh randomness is drawn for each job, so that no other job's result is the same: this one is computed once more, by a
/// process that nobody disturbs.
#[tokio::test]
async fn a_network_job_whose_process_and_worker_are_killed_has_the_hash_that_it_has_undisturbed() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let _mine = WORKER_LIFE.write().await;
    let inputs = owner.encrypts(bytes(&[3])).await;
    let job = owner.submits("program", powers(PRODUCTS), inputs.clone()).await;
    stack.has_a_checkpoint(job).await;
    let process = stack.computing_process().unwrap();
    process.kill_9();
    until("another attempt computes", async || {
        let attempts = stack.attempts(job).await;
        assert!(!job.now().await.status.is_terminal(), "{attempts:?}");
        attempts.get(1)?.pbs
    })
    .await;
    let next = stack.computing_process().unwrap();
    stack.kills(WORKER);
    let completed = job.completes().await;

    assert!(!process.is_alive() && !next.is_alive(), "processes are left behind");
    assert_eq!(stack.says_of(WORKER, "resuming", &job.id.to_string()), 2);
    let outcomes: Vec<_> = stack.attempts(job).await.into_iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some("died".to_owned()), None, Some("computed".to_owned())]);
    assert_eq!(completed.result.unwrap().hash, undisturbed::result_hash(&owner, job, inputs).await);
    let opened: serde_json::Value = serde_json::from_str(owner.opens(job).await.json()).unwrap();
    assert_eq!(opened, power(3, PRODUCTS));
    let billed = billed(job).await;
    assert_eq!(billed.iter().map(|(metric, _)| metric.as_str()).collect::<Vec<_>>(), BILLED);
    // Ten products of 28 bootstrappings, and four for the input.
    assert!(billed.contains(&("fhe_compute_units".to_owned(), 3)), "{billed:?}");
}

#[tokio::test]
async fn a_computation_that_dies_three_times_fails_its_job_alone_and_is_not_billed() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let worker = stack.place.part(WORKER);
    let inputs = holder.encrypts(bytes(&[3])).await;
    // Far more than is computed before each death.
    let job = holder.submits("program", powers(3 * PRODUCTS), &inputs).await;
    for attempt in 1..=3 {
        until(&format!("attempt {attempt} is dead"), async || {
            let attempts = stack.attempts(job).await;
            let this = attempts.get(attempt - 1)?;
            if this.outcome.is_some() || attempts.len() > attempt || job.now().await.status.is_terminal() {
                return Some(());
            }
            if this.pbs.is_some()
                && let Some(process) = stack.computing_process()
            {
                process.kill_9();
            }
            None
        })
        .await;
    }
    let error = job.fails().await.error.unwrap();
    assert_eq!(error.code, ErrorCode::ComputeCrashed, "{error:?}");
    assert_eq!(stack.attempts(job).await.len(), 3);
    assert_eq!(billed(job).await.iter().map(|(metric, _)| metric.as_str()).collect::<Vec<_>>(), ["jobs_submitted"]);
    let still = stack.place.part(WORKER);
    assert_eq!((still.pid, still.restarts), (worker.pid, worker.restarts), "the worker stays up");

    let next = holder.submits("program", powers(2), &inputs).await;
    next.completes().await;
    assert_eq!(holder.opens(next).await, power(3, 2));
}
