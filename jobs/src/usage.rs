//! Usage: what is metered, and the ids by which a ledger row is known to the billing system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::JobId;

/// A billable quantity. [`Metric::as_str`] is its name in the ledger, in the billing system and on the wire.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Jobs that were accepted.
    JobsSubmitted,
    /// Jobs that reached COMPLETED.
    JobsCompleted,
    /// Units of plain work: 1 for each KiB of payload and input, and the execution cost.
    ComputeUnits,
    /// Units of work on ciphertexts: 1 for each 100 bootstrappings.
    FheComputeUnits,
    /// Gigabytes stored times hours.
    StorageGbHours,
    /// Jobs confirmed on chain.
    ChainConfirmations,
    /// Calls of the REST API, summed by the hour.
    ApiCalls,
}

impl Metric {
    /// Every metric, in the order in which people read them.
    pub const ALL: [Self; 7] = [
        Self::JobsSubmitted,
        Self::JobsCompleted,
        Self::ComputeUnits,
        Self::FheComputeUnits,
        Self::StorageGbHours,
        Self::ChainConfirmations,
        Self::ApiCalls,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobsSubmitted => "jobs_submitted",
            Self::JobsCompleted => "jobs_completed",
            Self::ComputeUnits => "compute_units",
            Self::FheComputeUnits => "fhe_compute_units",
            Self::StorageGbHours => "storage_gb_hours",
            Self::ChainConfirmations => "chain_confirmations",
            Self::ApiCalls => "api_calls",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| format!("{text} is not a metric"))
    }
}

/// What a job is billed for its computation, by the metric.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Units {
    /// [`Metric::ComputeUnits`]
    pub compute: u64,
    /// [`Metric::FheComputeUnits`]
    pub fhe: u64,
}

impl Units {
    /// Nothing was done.
    pub const NONE: Self = Self { compute: 0, fhe: 0 };

    /// Those of a plain job.
    #[must_use]
    pub fn plain(compute: u64) -> Self {
        Self { compute, fhe: 0 }
    }
}

/// Part of a job that a row stands for; a correction gets a segment of its own.
pub const FIRST_SEGMENT: &str = "0";

/// `{job}:{metric}:{segment}`: primary key in the ledger and transaction id in the billing system.
#[must_use]
pub fn row_id(job: JobId, metric: Metric, segment: &str) -> String {
    format!("{job}:{metric}:{segment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for metric in Metric::ALL {
            assert_eq!(metric.as_str().parse(), Ok(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.as_str());
        }
        assert!("jobs".parse::<Metric>().is_err());
    }
}
