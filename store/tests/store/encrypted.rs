//! Encrypted jobs: attempts are counted before they run, checkpoints replace each other, a result stands once.

use std::time::Duration;

use jobs::leaf::{Handle, Leaf};
use jobs::{JobId, Step};
use serde_json::json;
use store::cancel::WorkflowRun;
use store::departure::{self, Leaving};
use store::fhe::attempts::{self, Attempt, Done, Outcome, Token, WorkDone};
use store::fhe::checkpoints::{self, CheckpointRow, Saved};
use store::fhe::inputs::{self, JobInput};
use store::fhe::results::{Encrypted, HandleParts};
use store::sealing::{self, LeafJob};
use store::transition::{self, Units};
use store::{fhe, receipts};

use crate::outbox::Outbox;

const UNITS: Units = Units { compute: 3, fhe: 7 };

/// An encrypted job that is computed now.
async fn computing(outbox: &Outbox) -> JobId {
    let job = outbox.job().await;
    sqlx::query("UPDATE jobs SET job_type = 'fhe_compute' WHERE id = $1")
        .bind(job.0)
        .execute(&outbox.pool)
        .await
        .unwrap();
    outbox.begin(job).await;
    job
}

async fn attempt(outbox: &Outbox, job: JobId) -> Option<Attempt> {
    attempts::begin(&outbox.pool, job, Token::random(), 3).await.unwrap()
}

fn done(pbs: u64) -> Done {
    Done { pbs, computed: Duration::from_millis(10 * pbs) }
}

fn handle(byte: u8) -> HandleParts {
    HandleParts {
        inputs_hash: [byte; 32],
        program_hash: [2; 32],
        key_id: [3; 32],
        attestation_hash: [4; 32],
        attestation: [5; 65],
    }
}

/// Leaves PROCESSING with a result that is told apart by its `byte`.
async fn finish(outbox: &Outbox, job: JobId, byte: u8) -> Step {
    match departure::open(&outbox.pool, job, UNITS).await.unwrap() {
        Leaving::Decided(stage) => stage,
        Leaving::Open(departure) => {
            let manifest = json!({"parameters": "p"});
            let result = Encrypted {
                hash: [byte; 32],
                size: 70_000,
                media_type: "application/cbor",
                units: UNITS,
                salt: [9; 32],
                handle: handle(byte),
                manifest: &manifest,
            };
            departure.with_encrypted(&result).await.unwrap()
        }
    }
}

#[tokio::test]
async fn an_attempt_counts_before_it_ends_and_three_deaths_are_enough() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let unheard = attempt(&outbox, job).await.unwrap();
    let died = attempt(&outbox, job).await.unwrap();
    assert_eq!((unheard.number(), died.number()), (1, 2));
    attempts::end(&outbox.pool, died, Outcome::Died, Done::default()).await.unwrap();
    for harmless in [Outcome::GivenBack, Outcome::Stopped, Outcome::Refused, Outcome::Computed] {
        let attempt = attempt(&outbox, job).await.expect("only deaths count");
        attempts::end(&outbox.pool, attempt, harmless, Done::default()).await.unwrap();
    }
    let failed = attempt(&outbox, job).await.unwrap();
    attempts::end(&outbox.pool, failed, Outcome::Failed, Done::default()).await.unwrap();
    assert_eq!(attempt(&outbox, job).await, None, "one was never heard of again, one died, one failed");
}

#[tokio::test]
async fn an_attempt_whose_answer_was_lost_is_not_begun_twice() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let token = Token::random();
    let begin = async |token| attempts::begin(&outbox.pool, job, token, 3).await.unwrap();
    let first = begin(token).await;
    for _ in 0..3 {
        assert_eq!(begin(token).await, first, "asked again, since nobody heard the answer");
    }
    assert_eq!(outbox.count("SELECT count(*) FROM fhe_attempts").await, 1, "it counts once");
    let tokens: Vec<Token> = (0..2).map(|_| Token::random()).collect();
    let (a, b) = tokio::join!(begin(tokens[0]), begin(tokens[1]));
    let mut numbers = [a.unwrap().number(), b.unwrap().number()];
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "two at once are two");
    assert_eq!(begin(Token::random()).await, None);
    assert_eq!(begin(token).await, first, "it has begun, whatever came after it");
}

#[tokio::test]
async fn time_that_earlier_attempts_computed_counts() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let before = async |job| attempt(&outbox, job).await.unwrap();
    let first = before(job).await;
    assert_eq!(first.computed_before, Duration::ZERO);
    attempts::progress(&outbox.pool, first, done(150)).await.unwrap();
    attempts::progress(&outbox.pool, first, done(100)).await.unwrap();
    // Its worker was killed: what it told last is known.
    let second = before(job).await;
    assert_eq!(second.computed_before, Duration::from_millis(1_500));
    attempts::end(&outbox.pool, second, Outcome::Died, done(200)).await.unwrap();
    assert_eq!(before(job).await.computed_before, Duration::from_millis(3_500));
    assert_eq!(before(computing(&outbox).await).await.computed_before, Duration::ZERO, "another job");
}

#[tokio::test]
async fn errors_are_counted_for_each_job() {
    let outbox = Outbox::new().await;
    let (job, other) = (computing(&outbox).await, computing(&outbox).await);
    for errors in 1..=3 {
        assert_eq!(fhe::errors::count(&outbox.pool, job, "out of \0turn").await.unwrap(), errors);
    }
    assert_eq!(fhe::errors::count(&outbox.pool, other, &"x".repeat(5_000)).await.unwrap(), 1);
    assert_eq!(outbox.count("SELECT count(*) FROM fhe_errors WHERE last_error = 'out of turn'").await, 1);
}

#[tokio::test]
async fn deaths_before_and_after_the_inputs_are_told_apart() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let reading = attempt(&outbox, job).await.unwrap();
    attempts::end(&outbox.pool, reading, Outcome::Died, Done::default()).await.unwrap();
    let computing = attempt(&outbox, job).await.unwrap();
    attempts::prepared(&outbox.pool, computing, 500).await.unwrap();
    attempts::end(&outbox.pool, computing, Outcome::Died, Done::default()).await.unwrap();
    attempts::end(&outbox.pool, computing, Outcome::Computed, Done::default()).await.unwrap();
    assert_eq!(attempts::deaths_while_reading(&outbox.pool, job).await.unwrap(), 1);
    assert_eq!(outbox.count("SELECT count(*) FROM fhe_attempts WHERE outcome = 'died'").await, 2, "the first stands");
}

#[tokio::test]
async fn work_that_was_done_is_known_over_all_attempts() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    assert_eq!(attempts::work_done(&outbox.pool, job).await.unwrap(), WorkDone::default());
    inputs::note(&outbox.pool, job, JobInput { sha256: [1; 32], size: 2_000 }).await.unwrap();
    let first = attempt(&outbox, job).await.unwrap();
    attempts::prepared(&outbox.pool, first, 500).await.unwrap();
    attempts::progress(&outbox.pool, first, done(300)).await.unwrap();
    attempts::progress(&outbox.pool, first, done(200)).await.unwrap();
    let second = attempt(&outbox, job).await.unwrap();
    attempts::prepared(&outbox.pool, second, 500).await.unwrap();
    attempts::end(&outbox.pool, second, Outcome::Stopped, done(250)).await.unwrap();
    let work = attempts::work_done(&outbox.pool, job).await.unwrap();
    assert_eq!(work, WorkDone { input_bytes: 2_000, pbs: 300 });
}

#[tokio::test]
async fn the_first_input_stands() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let (first, other) = (JobInput { sha256: [1; 32], size: 1 }, JobInput { sha256: [2; 32], size: 2 });
    assert_eq!(inputs::find(&outbox.pool, job).await.unwrap(), None);
    assert_eq!(inputs::note(&outbox.pool, job, first).await.unwrap(), first);
    assert_eq!(inputs::note(&outbox.pool, job, other).await.unwrap(), first);
}

#[tokio::test]
async fn tries_to_fetch_are_counted_for_each_job() {
    let outbox = Outbox::new().await;
    let (job, other) = (computing(&outbox).await, computing(&outbox).await);
    for tries in 1..=4 {
        assert_eq!(inputs::begin_fetch(&outbox.pool, job).await.unwrap(), tries);
    }
    assert_eq!(inputs::begin_fetch(&outbox.pool, other).await.unwrap(), 1);
    assert_eq!(inputs::find(&outbox.pool, job).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_that_computes_is_not_over_and_one_with_a_result_is() {
    let outbox = Outbox::new().await;
    let (open, done, listed) = (computing(&outbox).await, computing(&outbox).await, computing(&outbox).await);
    for job in [open, done] {
        let row = CheckpointRow {
            step: 1,
            program_hash: [1; 32],
            inputs_hash: [2; 32],
            sha256: [3; 32],
            size: 4,
            mac: [5; 32],
        };
        checkpoints::save(&outbox.pool, job, &row).await.unwrap();
    }
    for job in [done, listed] {
        finish(&outbox, job, 1).await;
    }
    let unknown = JobId::generate();
    let over = async |jobs: &[JobId]| {
        let mut over = checkpoints::over(&outbox.pool, jobs).await.unwrap();
        over.retain(|job| [open, done, listed, unknown].contains(job));
        over.sort_unstable_by_key(|job| job.0);
        over
    };
    assert_eq!(over(&[]).await, [done]);
    assert_eq!(over(&[open, listed, unknown]).await, [done, listed]);
    let hash = store::fhe::results::hash(&outbox.pool, done).await.unwrap();
    assert_eq!((hash, store::fhe::results::hash(&outbox.pool, open).await.unwrap()), (Some([1; 32]), None));
}

#[tokio::test]
async fn a_checkpoint_takes_the_place_of_the_one_before() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let at = |step| CheckpointRow {
        step,
        program_hash: [1; 32],
        inputs_hash: [2; 32],
        sha256: [3; 32],
        size: 4,
        mac: [5; 32],
    };
    let save = async |step| checkpoints::save(&outbox.pool, job, &at(step)).await.unwrap();
    assert_eq!(save(7).await, Saved::Stands { replaced: None });
    assert_eq!(save(9).await, Saved::Stands { replaced: Some(7) });
    // An attempt that was given up goes on for a while: it takes nothing from the one that is further.
    assert_eq!(save(8).await, Saved::Outrun { by: 9 });
    assert_eq!(save(9).await, Saved::Outrun { by: 9 });
    assert_eq!(checkpoints::find(&outbox.pool, job).await.unwrap(), Some(at(9)));
    assert_eq!(save(u32::MAX).await, Saved::Stands { replaced: Some(9) });
    assert_eq!(checkpoints::find(&outbox.pool, job).await.unwrap(), Some(at(u32::MAX)));
    checkpoints::forget(&outbox.pool, job).await.unwrap();
    assert_eq!(checkpoints::find(&outbox.pool, job).await.unwrap(), None);
}

#[tokio::test]
async fn a_later_result_is_dropped_for_the_first() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    assert_eq!(finish(&outbox, job, 1).await, Step::Confirm);
    assert_eq!(finish(&outbox, job, 8).await, Step::Confirm);
    assert_eq!(fhe::results::handle(&outbox.pool, job).await.unwrap(), Some(handle(1)));
    let usage = outbox.usage(job).await;
    let charged: Vec<_> = usage.iter().map(|(metric, units)| (metric.as_str(), *units)).collect();
    assert_eq!(charged, [("compute_units", 3), ("fhe_compute_units", 7), ("jobs_submitted", 1)]);
    assert_eq!(outbox.count("SELECT result_size FROM jobs WHERE result_bytes IS NULL").await, 70_000);
}

#[tokio::test]
async fn while_a_result_is_stored_nobody_else_decides() {
    let outbox = Outbox::new().await;
    let job = computing(&outbox).await;
    let open = departure::open(&outbox.pool, job, UNITS).await.unwrap();
    let cancel = tokio::time::timeout(std::time::Duration::from_millis(200), outbox.cancel(job)).await;
    assert!(cancel.is_err(), "the job is locked");
    drop(open);
    outbox.cancel(job).await;
    assert_eq!(finish(&outbox, job, 1).await, Step::Ended(jobs::JobStatus::Cancelled));
    let billed: Vec<i64> = outbox.usage(job).await.into_iter().map(|(_, units)| units).collect();
    assert_eq!(billed, [3, 7, 1], "work that was done");
}

#[tokio::test]
async fn a_leaf_commits_to_inputs_program_key_result_and_attestation() {
    let outbox = Outbox::new().await;
    let encrypted = computing(&outbox).await;
    finish(&outbox, encrypted, 1).await;
    let plain = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let leaves = sealing::leaves(&outbox.pool, batch).await.unwrap();
    let leaf = |job| -> Leaf { leaves.iter().find(|leaf: &&LeafJob| leaf.job_id == job).unwrap().leaf() };
    let expected = Handle {
        inputs: [1; 32].into(),
        program: [2; 32].into(),
        key: [3; 32].into(),
        result: [1; 32].into(),
        attestation: [4; 32].into(),
    };
    assert_eq!(leaf(encrypted).handle, expected.commitment());
    assert!(leaf(plain).handle.is_zero());

    let anchor = store::batches::Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None };
    store::batches::complete(&outbox.pool, batch, &anchor).await.unwrap();
    let tenant = "acme".parse().unwrap();
    let reader = store::jobs::Reader { tenant: &tenant, user: None };
    let parts = async |job| receipts::find(&outbox.pool, reader, job).await.unwrap().unwrap().parts.unwrap();
    assert_eq!(parts(encrypted).await.handle, Some(handle(1)));
    assert_eq!(parts(plain).await.handle, None);
    assert_eq!(parts(encrypted).await.root, parts(plain).await.root);
}

#[tokio::test]
async fn a_run_is_noted_where_its_job_begins_or_goes_on() {
    let outbox = Outbox::new().await;
    for status in ["PENDING", "PROCESSING"] {
        let job = outbox.job().await;
        if status == "PROCESSING" {
            outbox.begin(job).await;
        }
        let workflow_id: String = sqlx::query_scalar("SELECT current_workflow_id FROM jobs WHERE id = $1")
            .bind(job.0)
            .fetch_one(&outbox.pool)
            .await
            .unwrap();
        let run = |workflow_id: &str, run_id: &str| WorkflowRun {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
        };
        let noted = async |run: &WorkflowRun| -> Option<String> {
            assert_eq!(transition::begin(&outbox.pool, job, Some(run)).await.unwrap().step, Step::Compute);
            let row = sqlx::query_scalar("SELECT workflow_run_id FROM jobs WHERE id = $1").bind(job.0);
            row.fetch_one(&outbox.pool).await.unwrap()
        };
        assert_eq!(noted(&run("another", "x")).await, None, "{status}: a stranger's run");
        assert_eq!(noted(&run(&workflow_id, "first")).await.as_deref(), Some("first"), "{status}");
        assert_eq!(noted(&run(&workflow_id, "second")).await.as_deref(), Some("first"), "{status}: the first stands");
    }
}
