//! Input of `prime_factorization`: `{number}`.

use std::num::NonZeroU128;

use serde_json::Value;

use crate::field_error::{FieldError, FieldErrors};
use crate::object::{At, Object, integer, is_plain_integer};

/// The number to factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimeFactorization {
    number: NonZeroU128,
}

impl PrimeFactorization {
    /// The number to factor, 1 to 2^128 − 1.
    pub fn number(&self) -> NonZeroU128 {
        self.number
    }

    pub(super) fn parse(input: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let read = Self::read(&At::root(input), &mut errors);
        errors.or(read)
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut fields = Object::open(at, errors)?;
        let at = fields.required("number");
        fields.close(errors);
        let at = at?;
        number(at.value).map(|number| Self { number }).map_err(|reason| errors.add(&at.pointer, reason)).ok()
    }

    pub(super) fn execution_units(&self) -> u64 {
        match self.bits() {
            0..=64 => 1,
            65..=96 => 4,
            97..=112 => 16,
            _ => 64,
        }
    }

    fn bits(&self) -> u32 {
        u128::BITS - self.number.leading_zeros()
    }
}

fn number(value: &Value) -> Result<NonZeroU128, &'static str> {
    const RANGE: &str = "must be 1 to 2^128 - 1";
    let number = match value {
        Value::String(digits) if is_plain_integer(digits) => digits.parse().map_err(|_| RANGE)?,
        Value::String(_) => return Err("must be a decimal string of digits alone, without leading zeros"),
        Value::Number(_) => match value.as_u64().or_else(|| integer(value).and_then(|number| number.try_into().ok())) {
            Some(number) => u128::from(number),
            None if value.as_f64().is_some_and(|number| number.fract() != 0.0) => return Err("must be an integer"),
            None if value.as_f64().is_some_and(|number| number < 0.0) => return Err(RANGE),
            None => return Err("must be written in digits when it is beyond 2^53 - 1"),
        },
        _ => return Err("must be an integer or a decimal string"),
    };
    NonZeroU128::new(number).ok_or(RANGE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_and_decimal_strings_are_read() {
        let read = |number| PrimeFactorization::parse(&json!({ "number": number })).unwrap().number().get();
        assert_eq!(read(json!(104_729)), 104_729);
        assert_eq!(read(json!("104729")), 104_729);
        assert_eq!(read(json!(1)), 1);
        assert_eq!(read(json!(1e5)), 100_000);
        assert_eq!(read(json!(u64::MAX)), u128::from(u64::MAX));
        assert_eq!(read(json!("340282366920938463463374607431768211455")), u128::MAX);
    }

    #[test]
    fn everything_else_is_refused_at_its_pointer() {
        for wrong in [
            json!(0),
            json!("0"),
            json!(-7),
            json!(-9_007_199_254_740_993_i64),
            json!(1.5),
            json!(1e20),
            json!(""),
            json!(" 7"),
            json!("7 "),
            json!("+7"),
            json!("-7"),
            json!("007"),
            json!("0x7"),
            json!("7e3"),
            json!("٧"),
            json!("340282366920938463463374607431768211456"),
            json!("9".repeat(100_000)),
            json!(null),
            json!(true),
            json!([7]),
            json!({"number": 7}),
        ] {
            let errors = PrimeFactorization::parse(&json!({ "number": wrong })).unwrap_err();
            assert_eq!(errors.len(), 1, "{wrong}");
            assert_eq!(errors[0].pointer, "/number", "{wrong}");
        }
    }

    #[test]
    fn unknown_and_missing_fields_are_both_named() {
        let errors = PrimeFactorization::parse(&json!({"Number": 7, "a/b": 1})).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/Number", "/a~1b", "/number"]);
        assert_eq!(errors[2].reason, "is required");
    }
}
