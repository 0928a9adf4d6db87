//! `Credit`: the same thing as credits and as money, at a wallet's rate.

use crate::Decimal;
use crate::standin::answer::Refusal;
use crate::standin::usage::{MINOR_DIGITS, too_large};

/// Decimals that Lago keeps of a number of credits.
pub(in crate::standin) const CREDIT_DIGITS: u32 = 5;

/// A number of credits and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::standin) struct Credit {
    pub credits: Decimal,
    /// In the currency's main unit.
    pub amount: Decimal,
    pub cents: i64,
}

impl Credit {
    /// Credits that can be paid for: only what whole cents buy.
    pub(in crate::standin) fn of_credits(rate: &Decimal, credits: &Decimal) -> Result<Self, Refusal> {
        let exact = Self::exactly(rate, credits)?;
        Ok(Self { credits: exact.amount.divided(rate, CREDIT_DIGITS), ..exact })
    }

    /// As many credits as are asked for, and the cents that they are nearest to.
    pub(in crate::standin) fn exactly(rate: &Decimal, credits: &Decimal) -> Result<Self, Refusal> {
        let credits = credits.cut(CREDIT_DIGITS);
        let amount = (&credits * rate).round(MINOR_DIGITS);
        let cents = amount.minor_units(MINOR_DIGITS).ok_or_else(too_large)?;
        Ok(Self { credits, amount, cents })
    }

    /// What a number of cents takes.
    pub(in crate::standin) fn of_cents(rate: &Decimal, cents: i64) -> Self {
        let amount = Decimal::from(cents).percent();
        Self { credits: amount.divided(rate, CREDIT_DIGITS), amount, cents }
    }

    /// Whether something is asked for that is worth less than half a cent.
    pub(in crate::standin) fn is_worthless(&self, asked: &Decimal) -> bool {
        self.cents == 0 && !asked.cut(CREDIT_DIGITS).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn paid_credits_are_what_whole_cents_buy() {
        let third = decimal("0.33");
        let credit = Credit::of_credits(&third, &decimal("10.055")).unwrap();
        // 10.055 x 0.33 = 3.31815, which is 3.32, which buys 10.06061
        assert_eq!((credit.cents, credit.credits), (332, decimal("10.06061")));
        let exactly = Credit::exactly(&third, &decimal("10.055")).unwrap();
        assert_eq!((exactly.cents, exactly.credits), (332, decimal("10.055")));
        let drawn = Credit::of_cents(&third, 332);
        assert_eq!((drawn.amount, drawn.credits), (decimal("3.32"), decimal("10.06061")));
    }

    #[test]
    fn what_is_worth_less_than_half_a_cent_is_worthless_and_nothing_is_not() {
        let asked = |text: &str| {
            let credits = decimal(text);
            Credit::of_credits(&decimal("1"), &credits).unwrap().is_worthless(&credits)
        };
        assert!(asked("0.004") && !asked("0.005") && !asked("0") && !asked("0.000009"));
    }
}
