//! The state machine of a job. Every update in the store names the state that it leaves and is one of [`MOVES`].
//!
//! ```text
//! PENDING ──> PROCESSING ──> CONFIRMING ──> COMPLETED
//!    │             │
//!    ├──> CANCELLED┤
//!    └──> FAILED <─┘
//! ```
//! Leaving PROCESSING for CONFIRMING is the point of no return: work that was done is confirmed and billed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Accepted; no worker has taken it yet.
    Pending,
    /// A worker computes.
    Processing,
    /// The result is fixed; its hash waits for the chain.
    Confirming,
    /// The result's hash is on chain with enough confirmations.
    Completed,
    /// The job ended without a result; `error` says why.
    Failed,
    /// The client cancelled the job before it had a result.
    Cancelled,
}

use JobStatus::{Cancelled, Completed, Confirming, Failed, Pending, Processing};

/// All states, in the order of a job's life.
pub const ALL: [JobStatus; 6] = [Pending, Processing, Confirming, Completed, Failed, Cancelled];

/// The one table of allowed moves: (left, entered).
pub const MOVES: [(JobStatus, JobStatus); 7] = [
    (Pending, Processing),
    (Pending, Failed),
    (Pending, Cancelled),
    (Processing, Confirming),
    (Processing, Failed),
    (Processing, Cancelled),
    (Confirming, Completed),
];

impl JobStatus {
    /// Whether the table allows the move.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        MOVES.contains(&(self, next))
    }

    /// Nothing leaves a terminal state.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !MOVES.iter().any(|(left, _)| *left == self)
    }

    /// Whether cancel and deadline still act.
    #[must_use]
    pub fn is_cancellable(self) -> bool {
        self.may_become(Cancelled)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Pending => "PENDING",
            Processing => "PROCESSING",
            Confirming => "CONFIRMING",
            Completed => "COMPLETED",
            Failed => "FAILED",
            Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ALL.into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("is not one of {}", ALL.map(JobStatus::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_states_are_terminal() {
        let terminal: Vec<_> = ALL.into_iter().filter(|status| status.is_terminal()).collect();
        assert_eq!(terminal, [Completed, Failed, Cancelled]);
    }

    #[test]
    fn nothing_but_completion_follows_sealing() {
        let after: Vec<_> = ALL.into_iter().filter(|next| Confirming.may_become(*next)).collect();
        assert_eq!(after, [Completed]);
        assert!(!Confirming.is_cancellable());
    }

    #[test]
    fn names_round_trip() {
        for status in ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
