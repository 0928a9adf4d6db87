//! The thread of a computation: how it begins, at what pace it works, and that it ends when it is told to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use algorithms::{Checkpoint, Control, Output, RunError};
use jobs::algorithm::Input;
use jobs::{ErrorCode, JobId};
use temporalio_sdk::activities::ActivityError;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::control::Board;
use crate::failure::of_the_job;

/// How long the end of a thread is waited for that was told to stop: far longer than the 200 ms in which it ends on a
/// machine that is not busy, so that whatever gets its slot gets its core, too.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(1);

pub(super) type Thread = JoinHandle<Result<Output, RunError>>;

/// Development only: what makes each computation last, so that a person or a test can watch, cancel or kill one. Plain
/// algorithms are over in less than a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    pub pause: Duration,
    pub at: PauseAt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PauseAt {
    /// Before the computation.
    #[default]
    Start,
    /// At the first checkpoint of a computation that began anew.
    Checkpoint,
    /// Nowhere: the computation is made again and again for as long, and nothing but the algorithm looks whether to stop.
    Busy,
}

impl Pace {
    /// The pause where it is, else none.
    fn pause_at(self, at: PauseAt) -> Duration {
        if self.at == at { self.pause } else { Duration::ZERO }
    }
}

/// Goes on from the board's checkpoint. A blocking thread, because a computation that shares the runtime's threads would
/// stop heartbeats.
pub(super) fn spawn(job: JobId, input: Input, board: Arc<Board>, pace: Pace) -> Thread {
    tokio::task::spawn_blocking(move || {
        let checkpoint = board.snapshot().checkpoint;
        board.pause(pace.pause_at(PauseAt::Start))?;
        let mut control = board.control(job, pace.pause_at(PauseAt::Checkpoint));
        compute(&input, checkpoint.as_ref(), &mut control, pace.pause_at(PauseAt::Busy))
    })
}

/// Once, and again and again for as long as it shall be busy.
fn compute(
    input: &Input,
    resume: Option<&Checkpoint>,
    control: &mut dyn Control,
    busy: Duration,
) -> Result<Output, RunError> {
    let began = Instant::now();
    let mut output = algorithms::run(input, resume, control)?;
    // Nobody looks here whether to stop: the algorithm has to.
    while began.elapsed() < busy {
        output = algorithms::run(input, None, control)?;
    }
    Ok(output)
}

/// Waits until a thread that was told to stop has ended, for [`STOP_GRACE`] at most, and tells how long that took.
pub(super) async fn ends(job: JobId, thread: Thread) {
    let told = Instant::now();
    let end = tokio::spawn(async move {
        // What it came to interests nobody any more.
        drop(thread.await);
        tracing::info!(job.id = %job, duration_ms = told.elapsed().as_secs_f64() * 1e3, "the computation was stopped");
    });
    if timeout(STOP_GRACE, end).await.is_err() {
        tracing::warn!(job.id = %job, "the computation goes on although it was told to stop");
    }
}

/// A panic meets the same input again in the next attempt; what else ends a thread is the runtime's end.
pub(super) fn died(error: JoinError) -> ActivityError {
    if error.is_panic() {
        tracing::error!(%error, "a computation panicked");
        return of_the_job(ErrorCode::InternalError, "the computation panicked");
    }
    anyhow::anyhow!("the computation died: {error}").into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use temporalio_common::error::ApplicationFailure;
    use tokio::time::interval;

    use super::*;
    use crate::compute::control::Snapshot;
    use crate::conclude::read_input;

    /// A product of two primes of 64 bits.
    const LONG: &str = "340282366920938460843936948965011886881";

    fn input(algorithm: &str, input: &serde_json::Value) -> Input {
        read_input(&json!({"algorithm": algorithm, "input": input}).to_string()).unwrap()
    }

    async fn told(board: &Board, what: impl Fn(&Snapshot) -> bool) {
        let mut looks = interval(Duration::from_millis(5));
        while !what(&board.snapshot()) {
            looks.tick().await;
        }
    }

    async fn paused(board: &Board) {
        told(board, |snapshot| snapshot.stage == "paused").await;
    }

    /// How little an algorithm does between two looks, its own tests say.
    #[tokio::test]
    async fn every_algorithm_that_works_ends_its_thread_when_it_is_told_to_stop() {
        // Whoever does not look has a result after two minutes.
        let busy = Pace { pause: Duration::from_secs(120), at: PauseAt::Busy };
        let square = vec![vec![1; 200]; 200];
        for input in [
            input("prime_factorization", &json!({"number": LONG})),
            input("statistical_analysis", &json!({"values": vec![1.5; 65_536]})),
            input("matrix_multiplication", &json!({"a": square, "b": square})),
        ] {
            let board = Arc::new(Board::new(Snapshot::default()));
            let stop = board.stop_on_drop();
            let thread = spawn(JobId::generate(), input.clone(), board.clone(), busy);
            told(&board, |snapshot| !snapshot.stage.is_empty()).await;
            drop(stop);
            assert_eq!(thread.await.unwrap(), Err(RunError::Stopped), "{}", input.algorithm());
        }
    }

    #[tokio::test]
    async fn a_busy_computation_has_its_result_in_the_end() {
        let busy = Pace { pause: Duration::from_millis(20), at: PauseAt::Busy };
        let board = Arc::new(Board::new(Snapshot::default()));
        let thread = spawn(JobId::generate(), input("prime_factorization", &json!({"number": 91})), board, busy);
        let Ok(Output::PrimeFactorization(found)) = thread.await.unwrap() else { panic!("another result") };
        assert_eq!(found.factors.len(), 2);
    }

    /// From the details of a heartbeat, in the form in which they travel, to the thread of another worker.
    #[tokio::test]
    async fn another_attempt_goes_on_from_what_the_lost_one_told() {
        let job = JobId::generate();
        let input = input("prime_factorization", &json!({"number": LONG}));
        let pace = Pace { pause: Duration::from_secs(3600), at: PauseAt::Checkpoint };
        let board = Arc::new(Board::new(Snapshot::default()));
        let stop = board.stop_on_drop();
        let thread = spawn(job, input.clone(), board.clone(), pace);
        paused(&board).await;
        drop(stop);
        assert_eq!(thread.await.unwrap(), Err(RunError::Stopped));

        let told = serde_json::to_string(&board.snapshot()).unwrap();
        let mut lost = Snapshot::of_a_lost_attempt(serde_json::from_str(&told).map(Some), job);
        assert!(lost.percent > 0 && lost.checkpoint.is_some(), "{lost:?}");
        lost.stage.clear();
        let board = Arc::new(Board::new(lost));
        let stop = board.stop_on_drop();
        tokio::select! {
            done = spawn(job, input, board.clone(), pace) => {
                let Ok(Output::PrimeFactorization(found)) = done.unwrap() else { panic!("another result") };
                assert_eq!(found.factors.len(), 2);
            }
            () = paused(&board) => {
                drop(stop);
                panic!("it began anew");
            }
        }
    }

    #[tokio::test]
    async fn a_panic_is_not_tried_again() {
        let thread: Thread = tokio::task::spawn_blocking(|| panic!("a test's panic"));
        let ActivityError::Application(failure) = died(thread.await.unwrap_err()) else { panic!("another error") };
        let failure: &ApplicationFailure = &failure;
        assert!(failure.is_non_retryable());
        assert_eq!(failure.type_name(), Some("INTERNAL_ERROR"));
    }
}
