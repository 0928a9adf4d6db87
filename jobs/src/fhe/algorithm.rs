//! The encrypted algorithms as clients name them in `payload.algorithm`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An algorithm that computes on ciphertexts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FheAlgorithm {
    /// Count, sum, mean, extremes and variance of the values.
    EncryptedStatisticalAnalysis,
    /// The values weighted with clear weights, and whether the score reaches a threshold.
    EncryptedLinearScore,
    /// The highest value and the index of the first one that has it.
    EncryptedMaximum,
    /// Whether a value is in a set.
    EncryptedSetMembership,
    /// A straight-line program of the client's own.
    Program,
}

impl FheAlgorithm {
    /// Every algorithm, in the order in which documents list them.
    pub const ALL: [Self; 5] = [
        Self::EncryptedStatisticalAnalysis,
        Self::EncryptedLinearScore,
        Self::EncryptedMaximum,
        Self::EncryptedSetMembership,
        Self::Program,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EncryptedStatisticalAnalysis => "encrypted_statistical_analysis",
            Self::EncryptedLinearScore => "encrypted_linear_score",
            Self::EncryptedMaximum => "encrypted_maximum",
            Self::EncryptedSetMembership => "encrypted_set_membership",
            Self::Program => "program",
        }
    }
}

impl fmt::Display for FheAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no encrypted algorithm's (UNKNOWN_ALGORITHM).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not one of {}", FheAlgorithm::ALL.map(FheAlgorithm::as_str).join(", "))]
pub struct UnknownFheAlgorithm;

impl FromStr for FheAlgorithm {
    type Err = UnknownFheAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownFheAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_unknown() {
        for algorithm in FheAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
        }
        for name in ["", "Program", "encrypted_maximum ", "statistical_analysis"] {
            assert_eq!(name.parse::<FheAlgorithm>(), Err(UnknownFheAlgorithm));
        }
    }
}
