//! Reading a client's JSON object field by field, gathering every complaint with its pointer.

use serde_json::{Map, Value};

use crate::field_error::{FieldError, FieldErrors, element, member};

/// Largest magnitude up to which every integer is a double: 2^53 − 1.
pub(super) const MAX_SAFE_INTEGER: u64 = crate::json::MAX_SAFE_INTEGER.unsigned_abs();

/// The reason given for a field that is missing.
pub(super) const REQUIRED: &str = "is required";

/// The object at the empty pointer, once fields outside `known` were complained about.
pub(super) fn object<'v>(
    value: &'v Value,
    known: &[&str],
    errors: &mut FieldErrors,
) -> Result<&'v Map<String, Value>, Vec<FieldError>> {
    let Value::Object(fields) = value else {
        return Err(vec![FieldError::new("", "must be an object")]);
    };
    for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
        errors.add(member("", key), format!("is not a known field; known are: {}", known.join(", ")));
    }
    Ok(fields)
}

/// The array at `pointer`, with 1 to `max` elements.
pub(super) fn array<'v>(value: &'v Value, pointer: &str, max: usize, errors: &mut FieldErrors) -> Option<&'v [Value]> {
    let Value::Array(elements) = value else {
        errors.add(pointer, "must be an array");
        return None;
    };
    if elements.is_empty() || elements.len() > max {
        errors.add(pointer, format!("must have 1 to {max} elements; it has {}", elements.len()));
        return None;
    }
    Some(elements)
}

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
    is_plain_integer(digits) && (digits.len() > 16 || digits.parse::<u64>().is_ok_and(|n| n > MAX_SAFE_INTEGER))
}

/// Whether `text` is a decimal integer without sign, leading zeros, or anything else.
pub(super) fn is_plain_integer(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An integer of 0 or more, however it is written: `300`, `300.0` and `3e2` have one canonical form (RFC 8785),
/// hence one content hash, hence one meaning.
pub(super) fn unsigned_integer(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        #[expect(clippy::cast_precision_loss, reason = "2^53 − 1 is a double")]
        let safe = number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER as f64).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within 0 to 2^53 − 1")]
        safe.then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_read_in_every_notation() {
        assert_eq!(
            [json!(300), json!(300.0), json!(3e2), json!(-0.0)].map(|value| unsigned_integer(&value)),
            [Some(300), Some(300), Some(300), Some(0)]
        );
        for wrong in [json!(-1), json!(0.5), json!(1e300), json!("300"), json!(null)] {
            assert_eq!(unsigned_integer(&wrong), None, "{wrong}");
        }
    }

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
