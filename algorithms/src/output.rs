//! Results as the API publishes them.

use jobs::json::MAX_SAFE_INTEGER;
use serde::{Serialize, Serializer};

/// The result of a run; serialises to the bare value (`{number, factors}`, `{count, …}`, `{product}`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// Of `prime_factorization`.
    PrimeFactorization(Factorization),
    /// Of `statistical_analysis`.
    StatisticalAnalysis(Statistics),
    /// Of `matrix_multiplication`.
    MatrixMultiplication(Product),
}

/// A number and its primes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Factorization {
    /// The number of the input, as a decimal string.
    #[serde(serialize_with = "crate::checkpoint::decimal::serialize")]
    pub number: u128,
    /// Its primes, ascending; none for 1.
    pub factors: Vec<Factor>,
}

/// A prime, and how often it divides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Factor {
    /// The prime, as a decimal string.
    #[serde(serialize_with = "crate::checkpoint::decimal::serialize")]
    pub prime: u128,
    /// 1 or more.
    pub exponent: u32,
}

/// What `statistical_analysis` says of its values; all finite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// How many values.
    pub count: usize,
    /// Their sum, the double nearest to the exact one.
    #[serde(serialize_with = "number")]
    pub sum: f64,
    /// Their arithmetic mean.
    #[serde(serialize_with = "number")]
    pub mean: f64,
    /// The least of them.
    #[serde(serialize_with = "number")]
    pub min: f64,
    /// The greatest of them.
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// The population variance (divided by the count).
    #[serde(serialize_with = "number")]
    pub variance: f64,
    /// The square root of the variance.
    #[serde(serialize_with = "number")]
    pub standard_deviation: f64,
    /// The middle value, or the mean of the middle two.
    #[serde(serialize_with = "number")]
    pub median: f64,
}

/// A matrix product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    /// Its rows; all entries are finite.
    #[serde(serialize_with = "rows")]
    pub product: Vec<Vec<f64>>,
}

/// A double that serialises without a needless fraction: 15 and not 15.0, 0 and not -0.0.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= MAX_SAFE_INTEGER as f64 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within ±(2^53 − 1)")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

fn rows<S: Serializer>(rows: &[Vec<f64>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| row.iter().copied().map(Number).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(output: &Output) -> String {
        serde_json::to_string(output).unwrap()
    }

    #[test]
    fn factors_are_decimal_strings() {
        let factors = vec![Factor { prime: 3, exponent: 2 }, Factor { prime: (1 << 127) - 1, exponent: 1 }];
        assert_eq!(
            json(&Output::PrimeFactorization(Factorization { number: 7, factors })),
            r#"{"number":"7","factors":[{"prime":"3","exponent":2},{"prime":"170141183460469231731687303715884105727","exponent":1}]}"#
        );
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        let product = vec![vec![15.0, -0.0, 0.5], vec![-9_007_199_254_740_991.0, 9_007_199_254_740_992.0, 1e300]];
        assert_eq!(
            json(&Output::MatrixMultiplication(Product { product })),
            r#"{"product":[[15,0,0.5],[-9007199254740991,9007199254740992.0,1e+300]]}"#
        );
    }
}
