//! Reading lists of doubles.

use serde_json::Value;

use crate::field_error::{FieldErrors, element};
use crate::json::MAX_SAFE_INTEGER;
use crate::object::is_plain_integer;

/// Appends the numbers of the array at `pointer` to `into`, until too many of them were refused.
pub(super) fn numbers(elements: &[Value], pointer: &str, into: &mut Vec<f64>, errors: &mut FieldErrors) {
    for (index, value) in elements.iter().enumerate() {
        match number(value) {
            Ok(number) => into.push(number),
            Err(reason) => errors.add(element(pointer, index), reason),
        }
        if errors.is_full() {
            return;
        }
    }
}

/// A finite double. An integer beyond ±(2^53 − 1) arrives as its decimal string, and is rounded to the nearest double.
fn number(value: &Value) -> Result<f64, &'static str> {
    const NOT_A_NUMBER: &str = "must be a number";
    let number = match value {
        Value::Number(number) => number.as_f64().ok_or(NOT_A_NUMBER)?,
        Value::String(digits) if is_replaced_integer(digits) => digits.parse().map_err(|_| NOT_A_NUMBER)?,
        _ => return Err(NOT_A_NUMBER),
    };
    if number.is_finite() { Ok(number) } else { Err("must be within the range of a double (about ±1.8e308)") }
}

/// Whether `text` is what the API's edge puts in the place of an integer beyond ±(2^53 − 1).
fn is_replaced_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_plain_integer(digits) && (digits.len() > 16 || digits.parse::<i64>().is_ok_and(|n| n > MAX_SAFE_INTEGER))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_strings_that_stand_for_great_integers_are_numbers() {
        assert_eq!(number(&json!("9007199254740993")), Ok(9_007_199_254_740_992.0));
        assert_eq!(number(&json!("-100000000000000000000")), Ok(-1e20));
        for wrong in ["1", "9007199254740991", "+9007199254740993", "09007199254740993", "1e20", "", "-", "NaN", "inf"]
        {
            assert!(number(&json!(wrong)).is_err(), "{wrong}");
        }
        assert!(number(&json!("9".repeat(400))).unwrap_err().contains("range"));
    }
}
