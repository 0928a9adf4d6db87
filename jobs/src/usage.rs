//! Usage: what is metered, and the ids by which a ledger row is known to the billing system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::JobId;

/// A billable quantity. [`Metric::as_str`] is its name in the ledger, in the billing system and on the wire.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
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

    /// Decimals of one of its units that the ledger keeps: it counts in whole numbers, storage in byte-hours.
    #[must_use]
    pub fn decimals(self) -> u32 {
        match self {
            Self::StorageGbHours => 9,
            _ => 0,
        }
    }

    /// What the ledger counts, in the metric's own units, exactly.
    #[must_use]
    pub fn quantity(self, counted: i64) -> Quantity {
        let unit = 10_u64.pow(self.decimals());
        let (whole, rest) = (counted.unsigned_abs() / unit, counted.unsigned_abs() % unit);
        let sign = if counted < 0 { "-" } else { "" };
        let width = self.decimals() as usize;
        let fraction = if rest == 0 { String::new() } else { format!(".{rest:0width$}") };
        Quantity(format!("{sign}{whole}{}", fraction.trim_end_matches('0')))
    }

    /// What the ledger counts of `quantity`; `None` when it has more decimals than the ledger keeps, or is too large.
    #[must_use]
    pub fn counted(self, quantity: &Quantity) -> Option<i64> {
        let (whole, fraction) = quantity.0.split_once('.').unwrap_or((&quantity.0, ""));
        let width = self.decimals() as usize;
        let fraction = fraction.trim_end_matches('0');
        (fraction.len() <= width).then(|| format!("{whole}{fraction:0<width$}").parse().ok())?
    }
}

/// An exact number of a metric's units; a plain JSON number on the wire, without an exponent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quantity(String);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let plain = match unsigned.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(unsigned),
        };
        if plain { Ok(Self(text.to_owned())) } else { Err(format!("{text:?} is not a plain number")) }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().parse().map_err(de::Error::custom)
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

    /// What of them is under a ceiling, in each metric.
    #[must_use]
    pub fn at_most(self, ceiling: Self) -> Self {
        Self { compute: self.compute.min(ceiling.compute), fhe: self.fhe.min(ceiling.fhe) }
    }

    /// Where they pass a ceiling, if they do.
    #[must_use]
    pub fn excess(self, ceiling: Self) -> Option<Excess> {
        let beyond = |metric, units, allowed| (units > allowed).then_some(Excess { metric, units, allowed });
        beyond(Metric::ComputeUnits, self.compute, ceiling.compute)
            .or_else(|| beyond(Metric::FheComputeUnits, self.fhe, ceiling.fhe))
    }
}

/// A job costs more than it may (COST_CEILING_EXCEEDED). As text it is a sentence for the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Excess {
    /// [`Metric::ComputeUnits`] or [`Metric::FheComputeUnits`]
    pub metric: Metric,
    /// What the job costs.
    pub units: u64,
    /// What its ceiling allows.
    pub allowed: u64,
}

impl Excess {
    /// What the metric counts, in words.
    #[must_use]
    pub fn counted(&self) -> &'static str {
        if self.metric == Metric::FheComputeUnits { "FHE units" } else { "compute units" }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The job costs {} {}; its ceiling allows {}.", self.units, self.counted(), self.allowed)
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

    #[test]
    fn a_ceiling_holds_in_each_metric_by_itself() {
        let ceiling = Units { compute: 5, fhe: 2 };
        assert_eq!(ceiling.excess(ceiling), None, "as much is not more");
        assert_eq!(Units { compute: 9, fhe: 1 }.at_most(ceiling), Units { compute: 5, fhe: 1 });
        assert_eq!(Units { compute: 0, fhe: 3 }.at_most(ceiling), Units { compute: 0, fhe: 2 });
        let told = |compute, fhe| Units { compute, fhe }.excess(ceiling).map(|excess| excess.to_string());
        assert_eq!(told(6, 0).as_deref(), Some("The job costs 6 compute units; its ceiling allows 5."));
        assert_eq!(told(0, 3).as_deref(), Some("The job costs 3 FHE units; its ceiling allows 2."));
    }

    #[test]
    fn what_is_counted_is_told_exactly() {
        for (metric, counted, told) in [
            (Metric::ComputeUnits, 12, "12"),
            (Metric::ApiCalls, -3, "-3"),
            (Metric::StorageGbHours, 19_758, "0.000019758"),
            (Metric::StorageGbHours, 1_500_000_000, "1.5"),
            (Metric::StorageGbHours, -1, "-0.000000001"),
            (Metric::StorageGbHours, 0, "0"),
            (Metric::StorageGbHours, i64::MAX, "9223372036.854775807"),
        ] {
            let quantity = metric.quantity(counted);
            assert_eq!(quantity.to_string(), told);
            assert_eq!(serde_json::to_string(&quantity).unwrap(), told);
            assert_eq!(serde_json::from_str::<Quantity>(told).unwrap(), quantity);
            assert_eq!(metric.counted(&quantity), Some(counted));
        }
        assert_eq!(Metric::ComputeUnits.counted(&"1.5".parse().unwrap()), None);
        assert_eq!(Metric::StorageGbHours.counted(&"0.0000000001".parse().unwrap()), None);
        assert!(["", "1.", ".5", "1e3", "--1", "a"].iter().all(|text| text.parse::<Quantity>().is_err()));
    }
}
