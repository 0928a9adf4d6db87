//! Temporal workflows: deterministic, without any I/O dependency.
//!
//! What a workflow needs from the world it asks of activities, which are declared here by name and types and done in
//! `activities/`. Inputs are references only: no payload and no secret stands in a history.

pub mod activities;
pub mod attributes;
mod batcher;
mod job;
mod key_check;
mod reconciliation;
mod reporter;
pub mod task_queue;
mod usage_hours;

pub use batcher::{BatcherInput, BatcherWorkflow};
pub use job::{JobInput, JobOutcome, JobWorkflow};
pub use key_check::{KeyCheckInput, KeyCheckWorkflow};
pub use reconciliation::ReconciliationWorkflow;
pub use reporter::{ReporterInput, ReporterWorkflow};
pub use usage_hours::{UsageHoursInput, UsageHoursWorkflow};
