//! What a running computation tells, for heartbeats, clients and the bill.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fhe::child::protocol::Prepared;
use jobs::wire::Progress;
use store::fhe::attempts::{Attempt, Done};

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Fetching,
    /// For a computing process.
    Waiting,
    LoadingKeys,
    Reading,
    Computing,
    /// The result is there.
    Storing,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Waiting => "waiting",
            Self::LoadingKeys => "loading_keys",
            Self::Reading => "reading",
            Self::Computing => "computing",
            Self::Storing => "storing",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Fetching => "fetching the inputs",
            Self::Waiting => "waiting for a computing process",
            Self::LoadingKeys => "loading the keys",
            Self::Reading => "verifying the inputs",
            Self::Computing => "computing",
            Self::Storing => "storing the result",
        }
    }
}

/// Written by the work, read by the activity that watches it.
#[derive(Debug)]
pub(super) struct Board(Mutex<Newest>);

#[derive(Debug)]
struct Newest {
    stage: Stage,
    attempt: Option<(Attempt, Clock)>,
    prepared: Option<Prepared>,
    step: u32,
    pbs: u64,
}

/// How long an attempt computes.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Since(Instant),
    /// There is a result, or another end: what follows is not computing.
    Stopped(Duration),
}

impl Clock {
    fn read(self) -> Duration {
        match self {
            Self::Since(began) => began.elapsed(),
            Self::Stopped(time) => time,
        }
    }
}

impl Board {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Newest { stage: Stage::Fetching, attempt: None, prepared: None, step: 0, pbs: 0 }))
    }

    pub(super) fn stage(&self, stage: Stage) {
        self.newest().stage = stage;
    }

    /// The attempt's child is done, for good or ill: its time is up to here.
    pub(super) fn stop_clock(&self) {
        if let Some((_, clock)) = &mut self.newest().attempt {
            *clock = Clock::Stopped(clock.read());
        }
    }

    /// Another attempt begins.
    pub(super) fn attempt(&self, attempt: Attempt) {
        let mut newest = self.newest();
        newest.attempt = Some((attempt, Clock::Since(Instant::now())));
    }

    pub(super) fn prepared(&self, prepared: &Prepared) {
        let mut newest = self.newest();
        newest.stage = Stage::Computing;
        newest.prepared = Some(prepared.clone());
    }

    pub(super) fn progress(&self, step: u32, pbs: u64) {
        let mut newest = self.newest();
        (newest.step, newest.pbs) = (step, pbs);
    }

    /// The attempt that runs, and what it has done.
    pub(super) fn done(&self) -> Option<(Attempt, Done)> {
        let newest = self.newest();
        newest.attempt.map(|(attempt, clock)| (attempt, Done { pbs: newest.pbs, computed: clock.read() }))
    }

    /// How long the job has computed, in all its attempts; nothing once there is a result, which waits for nobody's
    /// time-out.
    pub(super) fn computing_for(&self) -> Duration {
        let newest = self.newest();
        match newest.attempt {
            Some((attempt, clock)) if newest.stage != Stage::Storing => attempt.computed_before + clock.read(),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn to_wire(&self) -> Progress {
        let newest = self.newest();
        let (percent, detail) = match &newest.prepared {
            Some(prepared) => (
                percent(newest.pbs, prepared.pbs),
                format!(
                    "operation {} of {}, {} of {} bootstrappings",
                    newest.step, prepared.steps, newest.pbs, prepared.pbs
                ),
            ),
            None => (0.0, newest.stage.words().to_owned()),
        };
        Progress { percent, stage: newest.stage.as_str().to_owned(), detail }
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole percent, and 100 only with a result.
fn percent(done: u64, all: u64) -> f64 {
    let percent = (u128::from(done) * 100).checked_div(u128::from(all)).unwrap_or_default();
    percent.min(99) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_of_bootstrappings() {
        assert_eq!(percent(0, 0), 0.0);
        assert_eq!(percent(50, 200), 25.0);
        assert_eq!(percent(u64::MAX, u64::MAX), 99.0, "the result is not stored yet");
    }

    #[test]
    fn time_stops_with_the_child_and_waits_for_nobody_with_a_result() {
        let clock = Clock::Stopped(Duration::from_secs(7));
        assert_eq!(clock.read(), Duration::from_secs(7));
        let board = Board::new();
        assert_eq!((board.done(), board.computing_for()), (None, Duration::ZERO), "no attempt has begun");
    }

    #[test]
    fn the_newest_is_told() {
        let board = Board::new();
        assert_eq!(board.to_wire().stage, "fetching");
        board.prepared(&Prepared {
            input_types: vec![],
            inputs_hash: [0; 32],
            program_hash: [0; 32],
            profile: fhe::profile::pin().clone(),
            steps: 4,
            pbs: 40,
        });
        board.progress(1, 10);
        let told = board.to_wire();
        assert_eq!((told.percent, told.stage.as_str()), (25.0, "computing"));
        assert_eq!(told.detail, "operation 1 of 4, 10 of 40 bootstrappings");
    }
}
