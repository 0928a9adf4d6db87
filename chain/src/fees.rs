//! Fees of a transaction: what the market asks, how they are raised when it does not get through, and the cap.

use std::time::Duration;

use alloy::providers::utils::{
    EIP1559_FEE_ESTIMATION_PAST_BLOCKS, EIP1559_FEE_ESTIMATION_REWARD_PERCENTILE, eip1559_default_estimator,
};
use alloy::providers::{Provider, RootProvider};

use crate::ChainError;

/// EIP-1559 fees in wei for one unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    pub max_fee_per_gas: u128,
    pub max_priority_fee_per_gas: u128,
}

/// What a unit of gas costs now, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// Of the next block; a transaction that offers less waits.
    pub base_fee: u128,
    /// What others gave on top in the last blocks.
    pub tip: u128,
}

/// How much a transaction may cost and how long it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// The most that one unit of gas may cost, in wei.
    pub cap: u128,
    /// The highest tip that the market is followed to, in wei. It is paid whole, and a stranger who fills blocks at a
    /// high one sets what the market asks. Replacements go beyond it, by the eighths that nodes want.
    pub tip_cap: u128,
    /// How long the next transaction in line may wait before its fees are raised.
    pub patience: Duration,
}

impl Fees {
    /// Both fees an eighth (12.5 %) higher, rounded up and at least by one wei: nodes take a replacement from 10 % on.
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

    /// As much of it as `cap` allows; a tip is part of the whole fee.
    fn within(self, cap: u128) -> Self {
        let max_fee_per_gas = self.max_fee_per_gas.min(cap);
        Self { max_fee_per_gas, max_priority_fee_per_gas: self.max_priority_fee_per_gas.min(max_fee_per_gas) }
    }
}

impl Market {
    /// Twice the base fee and the tip: enough for six full blocks in a row, of which only what is asked is paid.
    #[must_use]
    pub fn fees(self) -> Fees {
        Fees {
            max_fee_per_gas: self.base_fee.saturating_mul(2).saturating_add(self.tip),
            max_priority_fee_per_gas: self.tip,
        }
    }
}

impl FeePolicy {
    /// What a new transaction offers. Above the cap it offers the cap and waits for the market to come down.
    #[must_use]
    pub fn first(&self, market: Market) -> Fees {
        self.asked(market).within(self.cap)
    }

    /// What a replacement offers: an eighth more than the last one, or what the market asks if that is more. `None` when
    /// the cap leaves no room for an eighth more.
    #[must_use]
    pub fn raised(&self, last: Fees, market: Market) -> Option<Fees> {
        Some(last.bumped(self.cap)?.or_higher(self.asked(market)).within(self.cap))
    }

    fn asked(&self, market: Market) -> Fees {
        Market { tip: market.tip.min(self.tip_cap), ..market }.fees()
    }
}

/// Asks the node.
pub(crate) async fn market(provider: &RootProvider) -> Result<Market, ChainError> {
    let percentile = [EIP1559_FEE_ESTIMATION_REWARD_PERCENTILE];
    let history = provider.get_fee_history(EIP1559_FEE_ESTIMATION_PAST_BLOCKS, Default::default(), &percentile).await?;
    let base_fee = history
        .latest_block_base_fee()
        .max(history.next_block_base_fee())
        .ok_or_else(|| ChainError::Unavailable("the node tells no base fee".to_owned()))?;
    let rewards = history.reward.unwrap_or_default();
    Ok(Market { base_fee, tip: eip1559_default_estimator(base_fee, &rewards).max_priority_fee_per_gas })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(cap: u128) -> FeePolicy {
        FeePolicy { cap, tip_cap: 50, patience: Duration::from_secs(30) }
    }

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

    #[test]
    fn a_first_offer_is_twice_the_base_fee_and_the_tip_and_never_above_the_cap() {
        let market = Market { base_fee: 100, tip: 7 };
        assert_eq!(policy(1_000).first(market), Fees { max_fee_per_gas: 207, max_priority_fee_per_gas: 7 });
        assert_eq!(policy(150).first(market), Fees { max_fee_per_gas: 150, max_priority_fee_per_gas: 7 });
        assert_eq!(policy(5).first(market), Fees { max_fee_per_gas: 5, max_priority_fee_per_gas: 5 });
    }

    #[test]
    fn a_replacement_follows_the_market_up_to_the_cap() {
        let last = Fees { max_fee_per_gas: 200, max_priority_fee_per_gas: 8 };
        let calm = Market { base_fee: 10, tip: 1 };
        let spike = Market { base_fee: 1_000, tip: 1 };
        assert_eq!(
            policy(9_999).raised(last, calm),
            Some(Fees { max_fee_per_gas: 225, max_priority_fee_per_gas: 9 }),
            "an eighth more, whatever the market says"
        );
        assert_eq!(policy(9_999).raised(last, spike).map(|fees| fees.max_fee_per_gas), Some(2_001));
        assert_eq!(policy(300).raised(last, spike).map(|fees| fees.max_fee_per_gas), Some(300), "all that is allowed");
        assert_eq!(policy(224).raised(last, spike), None, "no node would take it as a replacement");
    }

    #[test]
    fn a_strangers_tip_is_not_followed() {
        let boasting = Market { base_fee: 100, tip: 80_000 };
        assert_eq!(policy(1_000).first(boasting), Fees { max_fee_per_gas: 250, max_priority_fee_per_gas: 50 });
        let last = Fees { max_fee_per_gas: 250, max_priority_fee_per_gas: 50 };
        let raised = Fees { max_fee_per_gas: 282, max_priority_fee_per_gas: 57 };
        assert_eq!(policy(1_000).raised(last, boasting), Some(raised), "an eighth more, or nodes do not take it");
    }

    proptest! {
        /// Nodes want a tenth more of both fees, and a tip that is no more than the whole.
        #[test]
        fn every_replacement_is_one_that_nodes_take(max in 1_u128..u128::from(u64::MAX), tip_percent in 0_u128..=100,
            base_fee in 0_u128..u128::from(u64::MAX), tip in 0_u128..u128::from(u64::MAX), cap in 1_u128..u128::from(u64::MAX)) {
            let last = Fees { max_fee_per_gas: max, max_priority_fee_per_gas: max / 100 * tip_percent };
            if let Some(raised) = policy(cap).raised(last, Market { base_fee, tip }) {
                prop_assert!(raised.max_fee_per_gas * 10 >= last.max_fee_per_gas * 11);
                prop_assert!(raised.max_priority_fee_per_gas * 10 >= last.max_priority_fee_per_gas * 11);
                prop_assert!(raised.max_priority_fee_per_gas <= raised.max_fee_per_gas);
                prop_assert!(raised.max_fee_per_gas <= cap);
            }
        }
    }
}
