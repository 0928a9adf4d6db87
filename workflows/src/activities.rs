//! The activities that workflows call: names and types. A test in `activities/` compares them with what is registered.

use std::fmt;

use alloy::primitives::B256;
pub use jobs::Step;
use jobs::{ErrorCode, JobId, TenantId};
use serde::{Deserialize, Serialize};
use temporalio_workflow::common::ActivityDefinition;

macro_rules! activity {
    ($(#[$doc:meta])* $marker:ident, $name:literal, $input:ty => $output:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $marker;

        impl $marker {
            pub const NAME: &'static str = $name;
        }

        impl ActivityDefinition for $marker {
            type Input = $input;
            type Output = $output;

            fn name(&self) -> &str {
                Self::NAME
            }
        }
    };
}

activity! {
    /// Checks references and ownership, and begins the job.
    Validate, "validate", JobRef => Step
}
activity! {
    /// Computes, and leaves PROCESSING with the result.
    Compute, "compute", JobRef => Step
}
activity! {
    /// Computes on ciphertexts, and leaves PROCESSING with the result.
    FheCompute, "fhe_compute", JobRef => Step
}
activity! {
    /// Checks an evaluation key that a client uploaded, and makes it ready or refused.
    CheckKey, "check_key", KeyRef => KeyVerdict
}
activity! {
    /// Ends a job that has no result.
    Conclude, "conclude", Conclusion => Step
}
activity! {
    /// Waits for the job's batch; completed from outside by the batcher.
    Confirm, "confirm", JobRef => Step
}
activity! {
    /// Sends the job's usage to the billing system; tells how many rows were delivered.
    Meter, "meter", JobRef => u32
}
activity! {
    /// Seals, sends and confirms for a while the batches of the registry that its workflow's id names.
    ConfirmBatches, "confirm_batches", () => BatcherReport
}
activity! {
    /// Sends overdue usage to the billing system; tells how many rows were delivered.
    ReportUsage, "report_usage", () => u32
}
activity! {
    /// Books what is metered by the hour: what is stored now, and the calls of hours that are over; tells how many rows.
    BookHours, "book_hours", () => u32
}
activity! {
    /// Holds the ledger against the billing system.
    Reconcile, "reconcile", () => Reconciled
}

/// Activity id of a job's confirmation: the batcher completes it by this id.
pub const CONFIRM_ACTIVITY_ID: &str = "confirm";

/// A job by reference.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct JobRef {
    pub job_id: JobId,
}

/// A client's evaluation key by reference.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyRef {
    pub tenant: TenantId,
    /// SHA-256 of the key's bytes.
    pub key_id: B256,
}

/// What became of an uploaded key.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyVerdict {
    Ready,
    Refused,
}

/// How a job without a result is to end.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    pub job_id: JobId,
    pub reason: Reason,
}

/// Why a computation has no result.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    Cancelled,
    Failed { code: ErrorCode, detail: String },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed { code, detail } => write!(f, "{code}: {detail}"),
        }
    }
}

/// What a reconciliation found: its workflow's result.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Reconciled {
    /// The open month, and the one before; none where no billing system is configured.
    pub months: Vec<ReconciledMonth>,
    /// Rows that the billing system refused for good, of any month.
    pub dead_letters: u64,
}

/// What was found of a month.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct ReconciledMonth {
    /// YYYY-MM
    pub month: String,
    pub tenants: u32,
    /// Metrics of tenants in which ledger and billing system disagree, months without their invoice, and accounts without a
    /// subscription.
    pub drifting: u32,
    /// The first of them, each as its tenant and its metric, or the word `invoice` or `subscription`.
    pub named: Vec<String>,
    /// Rows that wait for their delivery.
    pub waiting: u64,
    /// Tenants whose books could not be read: nothing is known of them, and they are in none of the other numbers.
    pub unread: u32,
    /// The first of them, each as the tenant and the reason.
    pub unread_named: Vec<String>,
}

/// What the batcher did and sees, for its workflow's current details.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct BatcherReport {
    pub batches_completed: u64,
    pub jobs_completed: u64,
    pub jobs_waiting: u64,
    pub last_transaction: Option<String>,
    pub last_block: Option<u64>,
    /// The oldest batch that is not confirmed.
    pub current_batch: Option<String>,
    /// When the job was ready that has waited longest for its confirmation; RFC 3339.
    pub oldest_waiting_since: Option<String>,
    /// What the confirmer's account has.
    pub balance: Option<String>,
    pub balance_is_low: bool,
    /// Why the chain could not be reached, if it could not.
    pub trouble: Option<String>,
}
