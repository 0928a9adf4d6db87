//! Fees of a transaction and how they are raised when it does not get through.

use alloy::eips::eip1559::Eip1559Estimation;

/// EIP-1559 fees in wei for one unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    pub max_fee_per_gas: u128,
    pub max_priority_fee_per_gas: u128,
}

impl Fees {
    /// Both fees an eighth (12.5 %) higher, at least by one wei: nodes take a replacement from 10 % on.
    /// `None` when that would pass `cap`, the most that one unit of gas may cost in wei.
    #[must_use]
    pub fn bumped(self, cap: u128) -> Option<Self> {
        let raise = |fee: u128| fee.saturating_add(fee.div_ceil(8).max(1));
        let bumped = Self {
            max_fee_per_gas: raise(self.max_fee_per_gas),
            max_priority_fee_per_gas: raise(self.max_priority_fee_per_gas),
        };
        (bumped.max_fee_per_gas <= cap).then_some(bumped)
    }

    /// The higher of both, fee by fee: a replacement pays at least what the market asks now.
    #[must_use]
    pub fn or_higher(self, other: Self) -> Self {
        Self {
            max_fee_per_gas: self.max_fee_per_gas.max(other.max_fee_per_gas),
            max_priority_fee_per_gas: self.max_priority_fee_per_gas.max(other.max_priority_fee_per_gas),
        }
    }
}

impl From<Eip1559Estimation> for Fees {
    fn from(estimation: Eip1559Estimation) -> Self {
        Self {
            max_fee_per_gas: estimation.max_fee_per_gas,
            max_priority_fee_per_gas: estimation.max_priority_fee_per_gas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_raises_both_fees_by_an_eighth() {
        let fees = Fees { max_fee_per_gas: 1_000, max_priority_fee_per_gas: 80 };
        let bumped = fees.bumped(10_000).unwrap();
        assert_eq!(bumped, Fees { max_fee_per_gas: 1_125, max_priority_fee_per_gas: 90 });
    }

    #[test]
    fn tiny_fees_rise_too_and_the_cap_holds() {
        let fees = Fees { max_fee_per_gas: 1, max_priority_fee_per_gas: 0 };
        assert_eq!(fees.bumped(2), Some(Fees { max_fee_per_gas: 2, max_priority_fee_per_gas: 1 }));
        assert_eq!(fees.bumped(1), None);
        let most = Fees { max_fee_per_gas: u128::MAX, max_priority_fee_per_gas: u128::MAX };
        assert_eq!(most.bumped(u128::MAX), Some(most));
    }
}
