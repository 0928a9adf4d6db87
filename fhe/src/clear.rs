//! Clear values that are to be encrypted, and how JSON writes them.

use jobs::fhe::program::ValueType;
use serde_json::Value;

/// A value and its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClearValue {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
}

/// Why a JSON value is not a value of the type.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClearValueError {
    #[error("{found} is not true or false")]
    NotBool { found: String },
    #[error("{found} is not a whole number, or its decimal string")]
    NotWhole { found: String },
    #[error("{found} does not fit {kind}: it goes from 0 to {}", .kind.highest())]
    OutOfRange { found: String, kind: ValueType },
}

impl ClearValue {
    /// A value of the type.
    ///
    /// # Errors
    /// A number beyond the type.
    pub fn new(kind: ValueType, value: u64) -> Result<Self, ClearValueError> {
        let beyond = || ClearValueError::OutOfRange { found: value.to_string(), kind };
        Ok(match kind {
            ValueType::Bool if value > 1 => return Err(beyond()),
            ValueType::Bool => Self::Bool(value == 1),
            ValueType::U8 => Self::U8(value.try_into().map_err(|_| beyond())?),
            ValueType::U16 => Self::U16(value.try_into().map_err(|_| beyond())?),
            ValueType::U32 => Self::U32(value.try_into().map_err(|_| beyond())?),
            ValueType::U64 => Self::U64(value),
        })
    }

    /// Reads `true` and `false` for bools; for the others a whole number or its decimal string.
    ///
    /// # Errors
    /// Anything else, and numbers beyond the type.
    pub fn from_json(kind: ValueType, json: &Value) -> Result<Self, ClearValueError> {
        let found = || json.to_string();
        match (kind, json) {
            (ValueType::Bool, Value::Bool(value)) => Ok(Self::Bool(*value)),
            (ValueType::Bool, _) => Err(ClearValueError::NotBool { found: found() }),
            (_, Value::Number(number)) => match number.as_u64() {
                Some(value) => Self::new(kind, value),
                None if number.is_i64() => Err(ClearValueError::OutOfRange { found: found(), kind }),
                None => Err(ClearValueError::NotWhole { found: found() }),
            },
            (_, Value::String(text)) => match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
                true => match text.parse() {
                    Ok(value) => Self::new(kind, value),
                    Err(_) => Err(ClearValueError::OutOfRange { found: found(), kind }),
                },
                false => Err(ClearValueError::NotWhole { found: found() }),
            },
            _ => Err(ClearValueError::NotWhole { found: found() }),
        }
    }

    /// The type.
    #[must_use]
    pub fn kind(self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::U8(_) => ValueType::U8,
            Self::U16(_) => ValueType::U16,
            Self::U32(_) => ValueType::U32,
            Self::U64(_) => ValueType::U64,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_numbers_strings_and_bools_are_read_exactly() {
        assert_eq!(ClearValue::from_json(ValueType::U8, &json!(255)), Ok(ClearValue::U8(255)));
        assert_eq!(ClearValue::from_json(ValueType::U64, &json!(u64::MAX)), Ok(ClearValue::U64(u64::MAX)));
        let text = json!("18446744073709551615");
        assert_eq!(ClearValue::from_json(ValueType::U64, &text), Ok(ClearValue::U64(u64::MAX)));
        assert_eq!(ClearValue::from_json(ValueType::Bool, &json!(true)), Ok(ClearValue::Bool(true)));
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_range() {
        for (kind, json) in
            [(ValueType::U8, json!(256)), (ValueType::U16, json!(-1)), (ValueType::U32, json!("4294967296"))]
        {
            let error = ClearValue::from_json(kind, &json).expect_err("out of range");
            assert!(matches!(error, ClearValueError::OutOfRange { .. }), "{json}: {error}");
        }
        let error = ClearValue::from_json(ValueType::U8, &json!(256)).expect_err("out of range");
        assert_eq!(error.to_string(), "256 does not fit u8: it goes from 0 to 255");
    }

    #[test]
    fn other_json_is_refused() {
        for json in [json!(1.5), json!("1e3"), json!(""), json!("+1"), json!(null), json!([1]), json!(true)] {
            assert!(ClearValue::from_json(ValueType::U8, &json).is_err(), "{json}");
        }
        for json in [json!(1), json!("true"), json!(null)] {
            assert!(ClearValue::from_json(ValueType::Bool, &json).is_err(), "{json}");
        }
    }
}
