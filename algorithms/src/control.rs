//! The wire between a run and whoever started it: progress out, stop in, checkpoints out.

use crate::{Checkpoint, RunError};

/// What became of the checkpoint that a run was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// The run goes on from it.
    Resumed,
    /// It does not belong to the input: the run begins anew.
    Unfit,
}

/// What a run needs of its surroundings. All calls come from the thread that computes.
///
/// A run calls [`Control::stopped`] some 100,000 times a second, so let it read an atomic flag; it reports and saves up to
/// some hundred times a second, so let an implementation that sends them anywhere keep only the newest.
pub trait Control {
    /// The run is at `percent` (0 to 100, never less than before), in `stage` (a fixed snake_case word), doing `detail`
    /// (for people).
    fn report(&mut self, percent: u8, stage: &'static str, detail: &str);

    /// Whether to give up: once true, always true.
    fn stopped(&self) -> bool;

    /// Told once, before anything else, by a run that was given a checkpoint and can use one.
    fn resumption(&mut self, outcome: Resumption);

    /// Takes a state to resume from; each replaces the one before. Under 4 KiB as JSON.
    fn save(&mut self, checkpoint: &Checkpoint);
}

/// A [`Control`] whose percentage only grows and whose stop is an error.
pub(crate) struct Progress<'c> {
    control: &'c mut dyn Control,
    percent: u8,
}

impl<'c> Progress<'c> {
    pub(crate) fn new(control: &'c mut dyn Control) -> Self {
        Self { control, percent: 0 }
    }

    pub(crate) fn report(&mut self, percent: u8, stage: &'static str, detail: &str) {
        self.percent = self.percent.max(percent.min(100));
        self.control.report(self.percent, stage, detail);
    }

    pub(crate) fn resumption(&mut self, outcome: Resumption) {
        self.control.resumption(outcome);
    }

    pub(crate) fn poll(&self) -> Result<(), RunError> {
        if self.control.stopped() { Err(RunError::Stopped) } else { Ok(()) }
    }

    pub(crate) fn save(&mut self, checkpoint: &Checkpoint) {
        self.control.save(checkpoint);
    }

    pub(crate) fn percent(&self) -> u8 {
        self.percent
    }
}
