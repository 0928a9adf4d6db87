//! States from which a run can go on elsewhere: small, serialisable, and verified when they come back.

use serde::{Deserialize, Serialize};

/// How far a run was. Statistics and matrix products are over in a second and save none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case")]
pub enum Checkpoint {
    /// The number, once its small primes were divided out, is the product of `parts`.
    PrimeFactorization {
        /// Percent reported last, so that progress does not run backwards after a restart.
        percent: u8,
        /// Primes and composites found so far; which is which is tested again, as that is cheap.
        parts: Vec<Part>,
    },
}

/// A divisor of the number, and the elliptic curves already tried on it in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The divisor.
    #[serde(with = "decimal")]
    pub value: u128,
    /// How many curves found nothing; the next run begins with the one after.
    pub curves: u32,
}

/// Great integers as decimal strings, which every JSON reader keeps whole.
pub(crate) mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
