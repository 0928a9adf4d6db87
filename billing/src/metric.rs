//! `Metric`: what is metered, and how Lago adds it up.

use std::fmt;
use std::str::FromStr;

use lago_types::models::BillableMetricAggregationType;
use serde::{Deserialize, Serialize};

/// A metered quantity. The snake_case code is its name in the ledger, in Lago and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Jobs that were accepted.
    JobsSubmitted,
    /// Jobs that reached COMPLETED.
    JobsCompleted,
    /// Units of plain work: 1 per KiB of payload, plus the execution cost.
    ComputeUnits,
    /// Units of encrypted work, by the table of programmable bootstraps.
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

    /// The event property that Lago sums.
    pub const FIELD: &str = "value";

    /// The metric's code in Lago and in the ledger.
    pub fn code(self) -> &'static str {
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

    /// The metric's name on an invoice.
    pub fn title(self) -> &'static str {
        match self {
            Self::JobsSubmitted => "Jobs submitted",
            Self::JobsCompleted => "Jobs completed",
            Self::ComputeUnits => "Compute units",
            Self::FheComputeUnits => "FHE compute units",
            Self::StorageGbHours => "Storage GB-hours",
            Self::ChainConfirmations => "Chain confirmations",
            Self::ApiCalls => "API calls",
        }
    }

    /// What one unit is, as Lago shows it beside the metric.
    pub fn description(self) -> &'static str {
        match self {
            Self::JobsSubmitted => "One for each accepted job",
            Self::JobsCompleted => "One for each job that reached COMPLETED",
            Self::ComputeUnits => "One per KiB of payload, plus the execution cost by the published table",
            Self::FheComputeUnits => "Encrypted work by the published table of bootstraps",
            Self::StorageGbHours => "Gigabytes stored times hours",
            Self::ChainConfirmations => "One for each job confirmed on chain",
            Self::ApiCalls => "Calls of the REST API, reported as hourly sums",
        }
    }

    /// How Lago adds up: always a sum, also where one event is one unit, so that a correction can be a row of its own.
    pub fn aggregation(self) -> BillableMetricAggregationType {
        BillableMetricAggregationType::SumAgg
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// A code that names no metric of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a metric")]
pub struct UnknownMetric(String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(code: &str) -> Result<Self, UnknownMetric> {
        let found = Self::ALL.into_iter().find(|metric| metric.code() == code);
        found.ok_or_else(|| UnknownMetric(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_metric_in_text_and_in_json() {
        for metric in Metric::ALL {
            assert_eq!(metric.code().parse(), Ok(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.code());
        }
        assert!("jobs".parse::<Metric>().is_err());
    }
}
