//! A tenant's prepaid credits: what is left of them, and top-ups.

pub mod get;
pub mod list;
pub mod one;
mod presentation;
pub mod top_up;

/// An amount of minor units for people; currencies here have two decimals.
pub(super) fn money(cents: i64, currency: &str) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02} {currency}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_told_with_its_sign_and_both_decimals() {
        assert_eq!(
            [0, 7, 1_050, -7, -1_050].map(|cents| money(cents, "EUR")),
            ["0.00 EUR", "0.07 EUR", "10.50 EUR", "-0.07 EUR", "-10.50 EUR"]
        );
    }
}
