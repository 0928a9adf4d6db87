//! The wire format: what the API answers and clients read. A field is null until it is known, never absent.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::submission::{JobType, Priority};
use crate::{ErrorCode, FieldError, JobId, JobStatus};

/// The answer to an accepted submission.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Accepted {
    #[schema(value_type = uuid::Uuid)]
    pub job_id: JobId,
    pub status: JobStatus,
    pub created_at: DateTime<Utc>,
    /// When the job will probably be terminal.
    pub estimated_completion: DateTime<Utc>,
    pub links: Links,
}

/// Where the parts of a job are found.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Links {
    #[serde(rename = "self")]
    pub this: String,
    pub events: String,
    pub result: String,
    pub receipt: String,
    pub cancel: String,
}

/// A job as clients see it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Job {
    #[schema(value_type = uuid::Uuid)]
    pub job_id: JobId,
    #[serde(rename = "type")]
    pub job_type: JobType,
    #[schema(example = "prime_factorization")]
    pub algorithm: String,
    pub status: JobStatus,
    pub priority: Priority,
    /// EVM address that the job belongs to.
    #[schema(value_type = String, example = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8")]
    pub submitter: Address,
    /// Submitted with test credentials: free and never billed.
    pub test_mode: bool,
    pub use_fhe: bool,
    /// SHA-256 of the RFC 8785 form of the submitted body.
    #[schema(value_type = String)]
    pub content_hash: B256,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub deadline: Option<DateTime<Utc>>,
    pub estimated_completion: Option<DateTime<Utc>>,
    pub progress: Progress,
    pub error: Option<JobError>,
    pub result: Option<JobResult>,
    pub blockchain_confirmation: Option<Confirmation>,
    /// Units by metric, as they will be billed.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub usage: BTreeMap<String, i64>,
    /// What the usage is billed as; null unless the job alone is read.
    #[serde(default)]
    pub billing: Option<JobBilling>,
    pub links: Links,
}

/// What a job's usage is billed as, and what it costs as far as that can be said.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobBilling {
    /// One for each metric.
    pub lines: Vec<JobLine>,
    /// Null in test mode, where nothing is billed, and where it cannot be said: the rows are billed by several plans, or by one
    /// whose prices are not known here.
    pub cost: Option<JobCost>,
}

/// A metric of a job.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobLine {
    #[schema(example = "compute_units")]
    pub metric: String,
    /// As in `usage`: all rows together.
    pub units: i64,
    /// The job's part of the month's line of this metric, between these amounts; null where `cost` is.
    pub cost: Option<CostBounds>,
    /// The rows of the ledger, corrections too.
    pub rows: Vec<JobUsageRow>,
}

/// A row of a job in the ledger.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobUsageRow {
    /// The transaction id under which the row is billed.
    #[schema(example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07:compute_units:0")]
    pub id: String,
    /// The part of the job, and of a correction its number.
    #[schema(example = "0")]
    pub segment: String,
    /// Negative in a correction that takes back.
    pub units: i64,
    /// Units of gas that the confirmation cost: its share of what the batch's transaction used. Null of every other metric,
    /// and where nobody noted it.
    #[schema(example = 672)]
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    /// Time under which the row is billed, once that is fixed.
    pub billed_at: Option<DateTime<Utc>>,
    /// The month (UTC) whose invoice has it, once that is fixed.
    #[schema(example = "2026-03")]
    pub month: Option<String>,
    pub state: JobUsageState,
    /// Why the row corrects another one; null in a row of use.
    pub reason: Option<String>,
}

/// Where a row is on its way to the billing system.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobUsageState {
    /// It is sent soon, or again.
    Due,
    /// The billing system has it.
    Delivered,
    /// It was used in a sandbox, and is never billed.
    TestMode,
    /// Another row took it back, and neither is billed.
    TakenBack,
    /// The billing system refused it; the operator looks after it.
    Refused,
}

impl JobUsageState {
    /// As JSON has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Delivered => "delivered",
            Self::TestMode => "test_mode",
            Self::TakenBack => "taken_back",
            Self::Refused => "refused",
        }
    }
}

/// What a job costs at the list prices of the plan that bills it, without taxes and the plan's own fee.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobCost {
    /// The plan whose prices these are.
    #[schema(example = "team")]
    pub plan: String,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
    /// In the currency's main unit, an exact decimal number, and so is the next one.
    #[schema(example = "0.00128")]
    pub at_least: String,
    #[schema(example = "0.00266")]
    pub at_most: String,
    /// Whether both are the same. Where a plan's price falls with use, or has free units, what a job costs depends on all
    /// that its month holds: the invoice tells the line, and which jobs stand behind it.
    pub is_exact: bool,
}

/// Between two amounts in the currency's main unit: exact decimal numbers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostBounds {
    #[schema(example = "0.0015")]
    pub at_least: String,
    #[schema(example = "0.0026")]
    pub at_most: String,
}

/// How far a job is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// 0 to 100.
    pub percent: f64,
    #[schema(example = "elliptic curves")]
    pub stage: String,
    #[schema(example = "curve 17 of about 120")]
    pub detail: String,
}

impl Progress {
    /// Stage of a job that has its result and waits for the chain.
    pub const CONFIRMING: &str = "confirming on chain";
    /// Stage of a completed job.
    pub const DONE: &str = "done";
}

/// Why a job failed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct JobError {
    pub code: ErrorCode,
    pub detail: String,
    /// URL of the page about the code.
    #[serde(rename = "type")]
    pub problem_type: String,
}

/// What a job computed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct JobResult {
    /// SHA-256 of the bytes at `url`.
    #[schema(value_type = String)]
    pub hash: B256,
    #[schema(example = "application/json")]
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    pub url: String,
    /// The value itself: inline for plain jobs up to 64 KiB, null else.
    pub value: Option<Value>,
}

/// Where the result's hash stands on chain.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Confirmation {
    pub chain_id: i64,
    #[schema(value_type = String)]
    pub registry: Address,
    /// Index of the job's bit in the registry.
    pub index: i64,
    #[schema(value_type = String)]
    pub merkle_root: B256,
    #[schema(value_type = Option<String>)]
    pub tx_hash: Option<B256>,
    pub block_number: Option<i64>,
    #[schema(value_type = Option<String>)]
    pub block_hash: Option<B256>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub finalized: bool,
}

/// One page of jobs, newest first.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct JobPage {
    pub data: Vec<Job>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// An error as clients see it (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Problem {
    /// URL of the page about the code.
    #[serde(rename = "type")]
    pub problem_type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    pub code: ErrorCode,
    pub request_id: String,
    pub timestamp: DateTime<Utc>,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_state_is_one_word_everywhere() {
        use JobUsageState::{Delivered, Due, Refused, TakenBack, TestMode};
        for state in [Due, Delivered, TestMode, TakenBack, Refused] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
