//! A [`Control`] for tests: records what it is told, stops at a chosen poll, and measures the work between polls.

use std::cell::Cell;

use crate::{Checkpoint, Control, Resumption, RunError};

thread_local! {
    static WORK: Cell<u64> = const { Cell::new(0) };
}

/// Counts one unit of work (a modular multiplication) on this thread.
pub(crate) fn work() {
    WORK.set(WORK.get() + 1);
}

#[derive(Debug, Default)]
pub(crate) struct Trial {
    stop_at: Option<u64>,
    polls: Cell<u64>,
    last_work: Cell<u64>,
    most_work: Cell<u64>,
    percents: Vec<u8>,
    pub(crate) resumption: Option<Resumption>,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl Trial {
    /// Says stop from poll `poll` on, counted from 0.
    pub(crate) fn stopping_at(poll: u64) -> Self {
        let trial = Self { stop_at: Some(poll), ..Self::default() };
        trial.last_work.set(WORK.get());
        trial
    }

    /// How often `computation` asks when it is left alone.
    pub(crate) fn polls_of(computation: impl FnOnce(&mut Self) -> Result<(), RunError>) -> u64 {
        let mut trial = Self::default();
        computation(&mut trial).unwrap();
        trial.polls()
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Most units of work between two polls, the time since the last poll included.
    pub(crate) fn most_work(&self) -> u64 {
        self.most_work.get().max(WORK.get() - self.last_work.get())
    }

    pub(crate) fn percents(&self) -> &[u8] {
        &self.percents
    }
}

impl Control for Trial {
    fn report(&mut self, percent: u8, _stage: &'static str, _detail: &str) {
        self.percents.push(percent);
    }

    fn resumption(&mut self, outcome: Resumption) {
        assert!(self.percents.is_empty(), "told too late");
        assert_eq!(self.resumption.replace(outcome), None, "told twice");
    }

    fn stopped(&self) -> bool {
        self.most_work.set(self.most_work.get().max(WORK.get() - self.last_work.get()));
        self.last_work.set(WORK.get());
        self.polls.set(self.polls.get() + 1);
        self.stop_at.is_some_and(|at| self.polls.get() > at)
    }

    fn save(&mut self, checkpoint: &Checkpoint) {
        self.checkpoints.push(checkpoint.clone());
    }
}
