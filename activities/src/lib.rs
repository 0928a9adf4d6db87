//! Side effects: one file an activity. Each is a struct that holds its clients, so that tests can hand in others.

pub mod billing_delivery;
mod book_hours;
mod check_key;
mod compute;
mod conclude;
mod confirm;
mod confirm_batches;
mod failure;
pub mod fhe;
mod fhe_compute;
mod meter;
mod patience;
mod reconcile;
pub mod reconciliation;
mod report_usage;
mod validate;
pub mod worker;

pub use book_hours::BookHours;
pub use check_key::CheckKey;
pub use compute::{Compute, Pace, PauseAt};
pub use conclude::Conclude;
pub use confirm::Confirm;
pub use confirm_batches::{BATCH_JOBS, BatchPolicy, Batching, ConfirmBatches, Memory};
pub use fhe_compute::FheCompute;
pub use meter::Meter;
pub use reconcile::{LastLook, Progress, Reconcile};
pub use report_usage::ReportUsage;
pub use validate::Validate;
