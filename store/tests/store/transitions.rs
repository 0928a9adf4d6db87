//! Every move of the state machine, from every state, twice: a repeated activity changes nothing.

use jobs::{ErrorCode, JobStatus, Step};
use store::transition::{self, Ending, Units};

use crate::outbox::{New, Outbox};

fn failed(code: ErrorCode) -> Ending {
    Ending::Failed { code, detail: "It has no result.".to_owned() }
}

fn units(outcome: &[(&str, i64)]) -> Vec<(String, i64)> {
    outcome.iter().map(|(metric, units)| ((*metric).to_owned(), *units)).collect()
}

#[tokio::test]
async fn a_job_goes_on_from_where_the_database_says() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    for _ in 0..2 {
        assert_eq!(transition::begin(&outbox.pool, job, None).await.unwrap().step, Step::Compute);
    }
    for _ in 0..2 {
        assert_eq!(outbox.finish(job).await, Step::Confirm);
    }
    assert_eq!(transition::begin(&outbox.pool, job, None).await.unwrap().step, Step::Confirm);
    assert_eq!(outbox.usage(job).await, units(&[("compute_units", 5), ("jobs_submitted", 1)]), "charged once");
    assert_eq!(outbox.count("SELECT count(*) FROM confirmations").await, 1);
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 1, "until it is terminal");
}

#[tokio::test]
async fn a_second_result_is_dropped_for_the_first() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let late = store::compute::Computed {
        bytes: b"{\"other\":1}",
        hash: [8; 32],
        media_type: "application/json",
        compute_units: 99,
        salt: [8; 32],
    };
    assert_eq!(store::compute::finish(&outbox.pool, job, &late).await.unwrap(), Step::Confirm);
    let kept: Vec<u8> = sqlx::query_scalar("SELECT result_hash FROM jobs").fetch_one(&outbox.pool).await.unwrap();
    assert_eq!(kept, [2; 32]);
    assert_eq!(outbox.usage(job).await, units(&[("compute_units", 5), ("jobs_submitted", 1)]));
}

#[tokio::test]
async fn a_result_cannot_be_taken_back() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    for ending in [Ending::Cancelled, failed(ErrorCode::ComputeFailed)] {
        assert_eq!(transition::conclude(&outbox.pool, job, &ending, Units::plain(9)).await.unwrap(), Step::Confirm);
    }
    assert_eq!(outbox.status(job).await, JobStatus::Confirming);
}

#[tokio::test]
async fn nothing_leaves_a_terminal_state() {
    let outbox = Outbox::new().await;
    for (ending, status) in
        [(Ending::Cancelled, JobStatus::Cancelled), (failed(ErrorCode::ComputeFailed), JobStatus::Failed)]
    {
        let job = outbox.job().await;
        outbox.begin(job).await;
        assert_eq!(
            transition::conclude(&outbox.pool, job, &ending, Units::plain(3)).await.unwrap(),
            Step::Ended(status)
        );
        for other in [Ending::Cancelled, failed(ErrorCode::ComputeTimeout)] {
            assert_eq!(
                transition::conclude(&outbox.pool, job, &other, Units::plain(3)).await.unwrap(),
                Step::Ended(status)
            );
        }
        assert_eq!(transition::begin(&outbox.pool, job, None).await.unwrap().step, Step::Ended(status));
        assert_eq!(outbox.finish(job).await, Step::Ended(status));
        assert_eq!(outbox.cancel(job).await, store::cancel::Cancelled::Done);
        assert_eq!(outbox.status(job).await, status);
        assert_eq!(outbox.usage(job).await, units(&[("compute_units", 3), ("jobs_submitted", 1)]), "charged once");
    }
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 0, "settled");
}

#[tokio::test]
async fn a_fault_of_ours_after_a_wish_to_cancel_is_a_cancellation() {
    let outbox = Outbox::new().await;
    for (code, status) in [
        (ErrorCode::InternalError, JobStatus::Cancelled),
        (ErrorCode::ComputeFailed, JobStatus::Failed),
        (ErrorCode::ComputeTimeout, JobStatus::Failed),
    ] {
        let job = outbox.job().await;
        outbox.begin(job).await;
        outbox.cancel(job).await;
        let stage = transition::conclude(&outbox.pool, job, &failed(code), Units::plain(3)).await.unwrap();
        assert_eq!(stage, Step::Ended(status), "{code}");
        assert!(outbox.usage(job).await.contains(&("compute_units".to_owned(), 3)), "{code}: its own end is billed");
    }
}

#[tokio::test]
async fn our_own_faults_are_not_billed() {
    let outbox = Outbox::new().await;
    for (code, billed) in
        [(ErrorCode::InternalError, false), (ErrorCode::WorkflowLost, false), (ErrorCode::ComputeTimeout, true)]
    {
        let job = outbox.job().await;
        outbox.begin(job).await;
        transition::conclude(&outbox.pool, job, &failed(code), Units::plain(3)).await.unwrap();
        let charged = outbox.usage(job).await.iter().any(|(metric, _)| metric == "compute_units");
        assert_eq!(charged, billed, "{code}");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_job_before_it_begins_and_before_it_has_a_result() {
    let outbox = Outbox::new().await;
    let soon = New { deadline_ms: Some(60_000), ..New::default() };
    let (waiting, running) = (outbox.admit(soon).await.0, outbox.admit(soon).await.0);
    outbox.begin(running).await;
    let passes = "UPDATE jobs SET deadline = now() - interval '1 second'";
    sqlx::query(passes).execute(&outbox.pool).await.unwrap();
    assert_eq!(transition::begin(&outbox.pool, waiting, None).await.unwrap().step, Step::Ended(JobStatus::Failed));
    assert_eq!(outbox.finish(running).await, Step::Ended(JobStatus::Failed));
    assert_eq!(outbox.count("SELECT count(*) FROM jobs WHERE error_code = 'DEADLINE_EXCEEDED'").await, 2);
    assert_eq!(outbox.usage(waiting).await, units(&[("jobs_submitted", 1)]));
    assert_eq!(
        outbox.usage(running).await,
        units(&[("compute_units", 5), ("jobs_submitted", 1)]),
        "work that was done"
    );
}

#[tokio::test]
async fn progress_only_grows_and_only_while_computing() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let tell = async |percent: f64| {
        let progress = jobs::wire::Progress { percent, stage: "s".to_owned(), detail: String::new() };
        store::compute::progress(&outbox.pool, job, &progress).await.unwrap();
        let told: f32 = sqlx::query_scalar("SELECT progress_percent FROM jobs").fetch_one(&outbox.pool).await.unwrap();
        told
    };
    assert_eq!(tell(10.0).await, 0.0, "it has not begun");
    outbox.begin(job).await;
    for (told, stands) in [(10.0, 10.0), (5.0, 10.0), (60.0, 60.0), (-3.0, 60.0), (1000.0, 100.0)] {
        assert_eq!(tell(told).await, stands, "{told}");
    }
    let events = outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.progress'").await;
    assert_eq!(events, 3, "an event for each that counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_and_a_result_at_once_leave_one_outcome() {
    let outbox = Outbox::new().await;
    for _ in 0..20 {
        let job = outbox.job().await;
        outbox.begin(job).await;
        let (_, stage) = tokio::join!(outbox.cancel(job), outbox.finish(job));
        let status = outbox.status(job).await;
        let expected = match stage {
            Step::Confirm => JobStatus::Confirming,
            Step::Ended(status) => status,
            Step::Compute => panic!("it was computed"),
        };
        assert_eq!(status, expected);
        assert!([JobStatus::Confirming, JobStatus::Cancelled].contains(&status));
        assert_eq!(outbox.usage(job).await.len(), 2, "billed once either way");
    }
}

#[tokio::test]
async fn a_sweep_of_cancellations_goes_through_all_of_them() {
    let outbox = Outbox::new().await;
    let mut cancelled = Vec::new();
    for _ in 0..5 {
        let job = outbox.job().await;
        outbox.started(job, "run").await;
        outbox.begin(job).await;
        outbox.cancel(job).await;
        cancelled.push(job);
    }
    let mut told = Vec::new();
    // None of them takes effect meanwhile.
    for _ in 0..3 {
        let page = store::cancel::unheard(&outbox.pool, told.last().copied(), 0.0, 2).await.unwrap();
        told.extend(page.into_iter().map(|unheard| unheard.job_id));
    }
    assert_eq!(told, cancelled);
}
