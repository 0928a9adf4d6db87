//! `Decimal`: exact decimal numbers for units and prices, so that no amount ever passes through a float.

use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Pow, Signed, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest text that is read as a number; ledger values and prices are far shorter.
const MAX_DIGITS: usize = 60;

/// An exact decimal number: `digits / 10^scale`.
///
/// Written without an exponent and without trailing zeros; equality is by value, so `1.50 == 1.5`.
#[derive(Clone, Debug)]
pub struct Decimal {
    digits: BigInt,
    scale: u32,
}

/// A text that is not a plain decimal number of at most 60 digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a decimal number")]
pub struct NotDecimal(String);

impl Decimal {
    pub fn zero() -> Self {
        Self { digits: BigInt::zero(), scale: 0 }
    }

    /// `digits / 10^places`, for prices that stand in code.
    pub fn scaled(digits: u64, places: u32) -> Self {
        Self { digits: BigInt::from(digits), scale: places }.normal()
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.digits.is_negative()
    }

    /// The smallest integer that is not below this number.
    pub fn ceil(&self) -> Self {
        Self { digits: self.digits.div_ceil(&power_of_ten(self.scale)), scale: 0 }
    }

    /// How many whole parts of `size` are needed to hold this number, a started one counted as whole; `size` > 0.
    pub fn parts_of(&self, size: &Self) -> Self {
        let (own, other, _) = aligned(self, size);
        Self { digits: own.div_ceil(&other), scale: 0 }
    }

    /// This number divided by another one that is not zero, with `places` decimals: rounded down, and rounded up.
    pub fn over(&self, divisor: &Self, places: u32) -> (Self, Self) {
        let (own, other, _) = aligned(self, divisor);
        let (down, rest) = (own * power_of_ten(places)).div_mod_floor(&other);
        let up = if rest.is_zero() { down.clone() } else { &down + 1 };
        let scaled = |digits| Self { digits, scale: places }.normal();
        (scaled(down), scaled(up))
    }

    /// Rounded to `places` decimals, halves away from zero, which is how Lago rounds money.
    pub fn round(&self, places: u32) -> Self {
        if self.scale <= places {
            return self.clone();
        }
        let unit = power_of_ten(self.scale - places);
        let (whole, rest) = self.digits.abs().div_rem(&unit);
        let rounded = if rest * 2 >= unit { whole + 1 } else { whole };
        let digits = if self.is_negative() { -rounded } else { rounded };
        Self { digits, scale: places }
    }

    /// Cut after `places` decimals, towards zero.
    pub(crate) fn cut(&self, places: u32) -> Self {
        if self.scale <= places {
            return self.clone();
        }
        Self { digits: &self.digits / power_of_ten(self.scale - places), scale: places }.normal()
    }

    /// Divided by a number that is not zero and rounded to `places` decimals, halves away from zero.
    pub(crate) fn divided(&self, divisor: &Self, places: u32) -> Self {
        let (own, other, _) = aligned(self, divisor);
        let quotient: BigInt = own.abs() * power_of_ten(places) * 2 + other.abs();
        let rounded = quotient.div_floor(&(other.abs() * 2));
        let digits = if own.is_negative() == other.is_negative() { rounded } else { -rounded };
        Self { digits, scale: places }.normal()
    }

    /// This amount of a currency's main unit in its minor units (`places` decimals), rounded; `None` beyond i64.
    pub fn minor_units(&self, places: u32) -> Option<i64> {
        let rounded = self.round(places);
        let digits = rounded.digits * power_of_ten(places - rounded.scale);
        digits.to_i64()
    }

    /// This number divided by 100, exactly.
    pub fn percent(&self) -> Self {
        Self { digits: self.digits.clone(), scale: self.scale + 2 }.normal()
    }

    fn normal(mut self) -> Self {
        let ten = BigInt::from(10);
        while self.scale > 0 {
            let (shorter, rest) = self.digits.div_rem(&ten);
            if !rest.is_zero() {
                break;
            }
            self.digits = shorter;
            self.scale -= 1;
        }
        self
    }
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

fn aligned(left: &Decimal, right: &Decimal) -> (BigInt, BigInt, u32) {
    let scale = left.scale.max(right.scale);
    (&left.digits * power_of_ten(scale - left.scale), &right.digits * power_of_ten(scale - right.scale), scale)
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let refused = || NotDecimal(text.chars().take(MAX_DIGITS).collect());
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let shaped = !whole.is_empty() && only_digits(whole) && only_digits(fraction);
        if !shaped || whole.len() + fraction.len() > MAX_DIGITS || unsigned.ends_with('.') {
            return Err(refused());
        }
        let digits: BigInt = format!("{whole}{fraction}").parse().map_err(|_| refused())?;
        let scale = u32::try_from(fraction.len()).map_err(|_| refused())?;
        Ok(Self { digits: if negative { -digits } else { digits }, scale }.normal())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::try_from(self.scale).map_err(|_| fmt::Error)?;
        let digits = format!("{:0>width$}", self.digits.abs().to_string(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.is_negative() { "-" } else { "" };
        if fraction.is_empty() {
            write!(formatter, "{sign}{whole}")
        } else {
            write!(formatter, "{sign}{whole}.{fraction}")
        }
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        Self { digits: BigInt::from(value), scale: 0 }
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self { digits: BigInt::from(value), scale: 0 }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (own, others, _) = aligned(self, other);
        own.cmp(&others)
    }
}

impl Add<&Decimal> for Decimal {
    type Output = Self;

    fn add(self, other: &Self) -> Self {
        let (own, others, scale) = aligned(&self, other);
        Self { digits: own + others, scale }.normal()
    }
}

impl Sub<&Decimal> for Decimal {
    type Output = Self;

    fn sub(self, other: &Self) -> Self {
        let (own, others, scale) = aligned(&self, other);
        Self { digits: own - others, scale }.normal()
    }
}

impl Mul<&Decimal> for &Decimal {
    type Output = Decimal;

    fn mul(self, other: &Decimal) -> Decimal {
        Decimal { digits: &self.digits * &other.digits, scale: self.scale + other.scale }.normal()
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_without_losing_a_digit() {
        for (text, written) in [
            ("0", "0"),
            ("007", "7"),
            ("1.50", "1.5"),
            ("-0.001", "-0.001"),
            ("12345678901234567890.000000000000001", "12345678901234567890.000000000000001"),
        ] {
            assert_eq!(decimal(text).to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_not_a_plain_number() {
        for text in ["", ".", "-", "1.", ".5", "1e3", "+1", " 1", "1,0", "NaN", "0x1", &"9".repeat(61)] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(decimal("0.005").minor_units(2), Some(1));
        assert_eq!(decimal("0.00499999").minor_units(2), Some(0));
        assert_eq!(decimal("-0.005").minor_units(2), Some(-1));
        assert_eq!(decimal("12.3").minor_units(2), Some(1230));
        assert_eq!(decimal("92233720368547758.08").minor_units(2), None);
    }

    #[test]
    fn a_quotient_is_told_from_both_sides() {
        let over = |own: &str, other: &str| decimal(own).over(&decimal(other), 3);
        assert_eq!(over("1", "3"), (decimal("0.333"), decimal("0.334")));
        assert_eq!(over("0.5", "0.25"), (decimal("2"), decimal("2")));
        assert_eq!(over("-1", "3"), (decimal("-0.334"), decimal("-0.333")));
    }

    #[test]
    fn a_quotient_is_rounded_and_a_cut_is_not() {
        for (own, divisor, quotient) in [
            ("10", "3", "3.33333"),
            ("20", "3", "6.66667"),
            ("0.00001", "2", "0.00001"),
            ("0.000009", "2", "0"),
            ("-1", "8", "-0.125"),
            ("1", "0.5", "2"),
            ("0", "7", "0"),
        ] {
            assert_eq!(decimal(own).divided(&decimal(divisor), 5), decimal(quotient), "{own} / {divisor}");
        }
        assert_eq!(decimal("1.999999").cut(5).to_string(), "1.99999");
        assert_eq!(decimal("1.5").cut(5).to_string(), "1.5");
    }

    #[test]
    fn a_started_part_counts_as_whole() {
        assert_eq!(decimal("1000").parts_of(&decimal("1000")), decimal("1"));
        assert_eq!(decimal("1000.000001").parts_of(&decimal("1000")), decimal("2"));
        assert_eq!(decimal("0").parts_of(&decimal("1000")), decimal("0"));
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_integers_of_thousandths(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000) {
            let milli = |value: i64| decimal(&format!("{}{}.{:03}", if value < 0 { "-" } else { "" }, value.abs() / 1000, value.abs() % 1000));
            prop_assert_eq!(milli(a) + &milli(b), milli(a + b));
            prop_assert_eq!(milli(a) - &milli(b), milli(a - b));
            prop_assert_eq!(milli(a).cmp(&milli(b)), a.cmp(&b));
            let product = i128::from(a) * i128::from(b);
            let cents = (product.abs() + 5_000) / 10_000 * product.signum();
            prop_assert_eq!((&milli(a) * &milli(b)).minor_units(2).map(i128::from), Some(cents));
        }
    }
}
