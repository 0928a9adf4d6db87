//! How Lago shows a metric, and how it adds it up.

pub use jobs::usage::Metric;
use lago_types::models::BillableMetricAggregationType;

/// The event property that Lago sums.
pub const FIELD: &str = "value";

/// A metric as Lago has it; its code there is [`Metric::as_str`].
pub(crate) trait LagoMetric: Copy {
    /// The metric's name on an invoice.
    fn title(self) -> &'static str;

    /// What one unit is, as Lago shows it beside the metric.
    fn description(self) -> &'static str;

    /// How Lago adds up: always a sum, also where one event is one unit, so that a correction can be a row of its own.
    fn aggregation(self) -> BillableMetricAggregationType {
        BillableMetricAggregationType::SumAgg
    }
}

impl LagoMetric for Metric {
    fn title(self) -> &'static str {
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

    fn description(self) -> &'static str {
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
}
