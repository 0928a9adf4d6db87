//! What a computing thread and its activity share: a flag to stop, and the newest progress and checkpoint.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use algorithms::{Checkpoint, Control, Resumption, RunError};
use jobs::JobId;
use jobs::wire::Progress;
use serde::{Deserialize, Serialize};

/// How often a paused computation looks whether to stop.
const LOOK: Duration = Duration::from_millis(20);

/// Heartbeat details: how far the computation is, and from where another worker can go on.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Snapshot {
    pub(super) percent: u8,
    pub(super) stage: String,
    pub(super) detail: String,
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Snapshot {
    /// What the last heartbeat of an attempt told that was lost, if there was one. Details that cannot be read cost the
    /// work that was done, and nothing else.
    pub(super) fn of_a_lost_attempt<E: Display>(details: Result<Option<Self>, E>, job: JobId) -> Self {
        details
            .unwrap_or_else(|error| {
                tracing::warn!(job.id = %job, %error, "heartbeat details cannot be read; the computation begins anew");
                None
            })
            .unwrap_or_default()
    }

    pub(super) fn to_wire(&self) -> Progress {
        Progress { percent: self.percent.into(), stage: self.stage.clone(), detail: self.detail.clone() }
    }
}

/// Written by the thread, read by the activity.
#[derive(Debug)]
pub(super) struct Board {
    stop: AtomicBool,
    newest: Mutex<Snapshot>,
}

impl Board {
    pub(super) fn new(first: Snapshot) -> Self {
        Self { stop: AtomicBool::new(false), newest: Mutex::new(first) }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.newest.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What a job's computation reports to. It pauses at its first checkpoint, unless it was resumed from one.
    pub(super) fn control(self: &Arc<Self>, job: JobId, pause: Duration) -> Writer {
        Writer { board: self.clone(), job, pause: Some(pause) }
    }

    pub(super) fn stop_on_drop(self: &Arc<Self>) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Waits, unless it is stopped meanwhile.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), RunError> {
        let started = Instant::now();
        while started.elapsed() < pause {
            if self.stop.load(Ordering::Relaxed) {
                return Err(RunError::Stopped);
            }
            let done = started.elapsed().as_secs_f64() / pause.as_secs_f64();
            self.update(|snapshot| {
                snapshot.stage = "paused".to_owned();
                snapshot.detail = format!("development pause, {:.0} %", done * 100.0);
            });
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

pub(super) struct StopOnDrop(Arc<Board>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Writer {
    board: Arc<Board>,
    job: JobId,
    /// Until it was made.
    pause: Option<Duration>,
}

impl Control for Writer {
    fn report(&mut self, percent: u8, stage: &'static str, detail: &str) {
        self.board.update(|snapshot| {
            snapshot.percent = percent;
            stage.clone_into(&mut snapshot.stage);
            detail.clone_into(&mut snapshot.detail);
        });
    }

    fn resumption(&mut self, outcome: Resumption) {
        match outcome {
            Resumption::Resumed => {
                self.pause = None;
                tracing::info!(job.id = %self.job, percent = self.board.snapshot().percent, "resuming");
            }
            Resumption::Unfit => {
                tracing::warn!(job.id = %self.job, "the checkpoint is not of this input; the computation begins anew");
            }
        }
    }

    fn stopped(&self) -> bool {
        self.board.stop.load(Ordering::Relaxed)
    }

    fn save(&mut self, checkpoint: &Checkpoint) {
        self.board.update(|snapshot| snapshot.checkpoint = Some(checkpoint.clone()));
        if let Some(pause) = self.pause.take() {
            // One that is stopped meanwhile hears of it when it looks next.
            _ = self.board.pause(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activity_that_leaves_stops_its_thread() {
        let board = Arc::new(Board::new(Snapshot::default()));
        let control = board.control(JobId::generate(), Duration::ZERO);
        let guard = board.stop_on_drop();
        assert!(!control.stopped());
        drop(guard);
        assert!(control.stopped());
        assert_eq!(board.pause(Duration::from_secs(3600)), Err(RunError::Stopped));
    }

    #[test]
    fn details_that_cannot_be_read_are_as_none() {
        let lost = |details: Result<_, &str>| Snapshot::of_a_lost_attempt(details, JobId::generate());
        let told = Snapshot { percent: 40, ..Snapshot::default() };
        assert_eq!(lost(Ok(Some(told.clone()))), told);
        assert_eq!(lost(Ok(None)), Snapshot::default());
        assert_eq!(lost(Err("of another form")), Snapshot::default());
    }

    #[test]
    fn the_newest_report_is_seen() {
        let board = Arc::new(Board::new(Snapshot::default()));
        let mut control = board.control(JobId::generate(), Duration::ZERO);
        control.report(10, "curves", "the first");
        control.report(20, "curves", "the second");
        let snapshot = board.snapshot();
        assert_eq!((snapshot.percent, snapshot.detail.as_str()), (20, "the second"));
    }
}
