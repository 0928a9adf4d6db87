//! Amounts of money for people. Every currency here has two decimals.

/// An amount of minor units in the main unit, with its sign and both decimals.
#[must_use]
pub fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// The same with its currency.
#[must_use]
pub fn money(cents: i64, currency: &str) -> String {
    format!("{} {currency}", amount(cents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_told_with_its_sign_and_both_decimals() {
        for (cents, text) in [
            (0, "0.00"),
            (5, "0.05"),
            (110, "1.10"),
            (123_456, "1234.56"),
            (-5, "-0.05"),
            (-99, "-0.99"),
            (-100, "-1.00"),
            (-1_050, "-10.50"),
            (i64::MIN, "-92233720368547758.08"),
        ] {
            assert_eq!(amount(cents), text);
        }
        assert_eq!(money(-5, "EUR"), "-0.05 EUR");
    }
}
