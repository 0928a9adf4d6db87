//! The plain algorithms as clients name them: their inputs, what those may hold, and what they cost.

mod doubles;
mod factorization;
mod matrix;
mod parameters;
pub mod schema;
mod statistics;
mod units;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field_error::FieldError;

pub use factorization::PrimeFactorization;
pub use matrix::{MAX_DIMENSION, Matrix, MatrixMultiplication};
pub use parameters::{DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS, Parameters};
pub use statistics::{MAX_VALUES, StatisticalAnalysis};
pub use units::{payload_units, units_done};

/// A plain algorithm, named in `payload.algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// The prime factors of a number of up to 128 bits.
    PrimeFactorization,
    /// Count, sum, mean, extremes, variance, standard deviation and median of a list of numbers.
    StatisticalAnalysis,
    /// The product of two matrices.
    MatrixMultiplication,
}

impl Algorithm {
    /// Every algorithm, in the order in which documents list them.
    pub const ALL: [Self; 3] = [Self::PrimeFactorization, Self::StatisticalAnalysis, Self::MatrixMultiplication];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrimeFactorization => "prime_factorization",
            Self::StatisticalAnalysis => "statistical_analysis",
            Self::MatrixMultiplication => "matrix_multiplication",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no plain algorithm's (UNKNOWN_ALGORITHM).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such algorithm; known are prime_factorization, statistical_analysis, matrix_multiplication")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

/// A checked `payload.input`: whoever holds one need not check it again.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// `{number}`
    PrimeFactorization(PrimeFactorization),
    /// `{values}`
    StatisticalAnalysis(StatisticalAnalysis),
    /// `{a, b}`
    MatrixMultiplication(MatrixMultiplication),
}

impl Input {
    /// Checks `payload.input`, in which integers beyond ±(2^53 − 1) stand as decimal strings.
    ///
    /// # Errors
    /// What is wrong, field by field and at most [`crate::field_error::MAX_FIELD_ERRORS`] of it, with pointers
    /// relative to `input`; an absent input is refused at the empty pointer.
    pub fn parse(algorithm: Algorithm, input: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let input = input.ok_or_else(|| vec![FieldError::new("", "is required")])?;
        match algorithm {
            Algorithm::PrimeFactorization => PrimeFactorization::parse(input).map(Self::PrimeFactorization),
            Algorithm::StatisticalAnalysis => StatisticalAnalysis::parse(input).map(Self::StatisticalAnalysis),
            Algorithm::MatrixMultiplication => MatrixMultiplication::parse(input).map(Self::MatrixMultiplication),
        }
    }

    /// The algorithm that this is the input of.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::PrimeFactorization(_) => Algorithm::PrimeFactorization,
            Self::StatisticalAnalysis(_) => Algorithm::StatisticalAnalysis,
            Self::MatrixMultiplication(_) => Algorithm::MatrixMultiplication,
        }
    }

    /// Compute units (CU) of the execution, beyond those of the payload; known from the input alone:
    ///
    /// | algorithm | CU |
    /// |---|---|
    /// | `prime_factorization` | by bits of the number: to 64: 1; to 96: 4; to 112: 16; to 128: 64 |
    /// | `statistical_analysis` | 1 for each 1,024 values begun |
    /// | `matrix_multiplication` | 1 for each 1,048,576 multiply-adds begun (rows of a · columns of a · columns of b) |
    pub fn execution_units(&self) -> u64 {
        match self {
            Self::PrimeFactorization(input) => input.execution_units(),
            Self::StatisticalAnalysis(input) => input.execution_units(),
            Self::MatrixMultiplication(input) => input.execution_units(),
        }
    }

    /// A rough guess of the seconds of computing on one core, at least 1; a promise of nothing.
    pub fn estimated_seconds(&self) -> u64 {
        // Each input that the limits allow takes less: 0.7 s was the worst of some hundred products of two 64-bit primes.
        1
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_read_back_and_others_are_unknown() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), json!(algorithm.as_str()));
        }
        for name in ["", "PrimeFactorization", "prime_factorization ", "encrypted_statistical_analysis"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
    }

    #[test]
    fn input_is_required_and_an_object() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Input::parse(algorithm, None).unwrap_err(), [FieldError::new("", "is required")]);
            for wrong in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
                let errors = Input::parse(algorithm, Some(&wrong)).unwrap_err();
                assert_eq!(errors, [FieldError::new("", "must be an object")], "{algorithm} {wrong}");
            }
        }
    }

    #[test]
    fn another_algorithms_input_is_refused_with_its_pointers() {
        let errors = Input::parse(Algorithm::StatisticalAnalysis, Some(&json!({"number": 1}))).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/number", "/values"]);
    }

    #[test]
    fn units_follow_the_table() {
        let units = |algorithm, input| Input::parse(algorithm, Some(&input)).unwrap().execution_units();
        let factor = |number: u128| units(Algorithm::PrimeFactorization, json!({"number": number.to_string()}));
        assert_eq!([factor(1), factor(u128::from(u64::MAX)), factor(1 << 64)], [1, 1, 4]);
        assert_eq!([factor((1 << 96) - 1), factor(1 << 96)], [4, 16]);
        assert_eq!([factor((1 << 112) - 1), factor(1 << 112), factor(u128::MAX)], [16, 64, 64]);

        let statistics = |count: usize| units(Algorithm::StatisticalAnalysis, json!({"values": vec![1; count]}));
        assert_eq!([statistics(1), statistics(1_024), statistics(1_025), statistics(65_536)], [1, 1, 2, 64]);

        let square = |size: usize| {
            let matrix = vec![vec![1; size]; size];
            units(Algorithm::MatrixMultiplication, json!({"a": matrix, "b": matrix}))
        };
        assert_eq!([square(1), square(101), square(102), square(512)], [1, 1, 2, 128]);
    }
}
