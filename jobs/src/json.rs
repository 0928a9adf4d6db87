//! Strict JSON: duplicate names and deep nesting are refused, and big integers stay exact.
//!
//! Integers beyond ±(2^53-1) become their decimal strings, because no other JSON implementation could be trusted
//! to read them as numbers (RFC 8259 section 6, RFC 8785 section 3.2.2.3). Each value is read from its own text, so
//! that no number passes through an f64 on the way.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::field_error::{FieldError, member};

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 32;
/// Largest magnitude that every reader of JSON keeps exact: 2^53 - 1.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Why a text is not acceptable JSON.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JsonError {
    #[error("the body is not valid UTF-8 at byte {0}")]
    Utf8(usize),
    #[error("the body is not valid JSON: {0}")]
    Syntax(String),
    #[error("{} {}", .0.pointer, .0.reason)]
    Refused(FieldError),
}

/// Reads one document.
///
/// # Errors
/// Text that is not UTF-8 or not JSON, a name given twice, nesting beyond [`MAX_DEPTH`], a number beyond f64.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::Utf8(error.valid_up_to()))?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    read(raw, "", 0)
}

fn read(raw: &RawValue, pointer: &str, depth: usize) -> Result<Value, JsonError> {
    let text = raw.get();
    let refuse = |reason: String| JsonError::Refused(FieldError::new(pointer, reason));
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth == MAX_DEPTH => Err(refuse(format!("is nested deeper than {MAX_DEPTH} levels"))),
        Some(b'{') => {
            let members: Members<'_> = part(text, || refuse("has a name that is no Unicode text".to_owned()))?;
            let mut object = Map::new();
            for (name, part) in members.0 {
                let at = member(pointer, &name);
                if object.contains_key(&name) {
                    return Err(JsonError::Refused(FieldError::new(at, "is given twice")));
                }
                let value = read(part, &at, depth + 1)?;
                object.insert(name, value);
            }
            Ok(Value::Object(object))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = part(text, || refuse("is not valid".to_owned()))?;
            let read_item = |(index, part)| read(part, &format!("{pointer}/{index}"), depth + 1);
            items.into_iter().enumerate().map(read_item).collect::<Result<_, _>>().map(Value::Array)
        }
        Some(b'-' | b'0'..=b'9') => number(text).ok_or_else(|| refuse("is a number out of range".to_owned())),
        _ => part(text, || refuse("is no Unicode text".to_owned())),
    }
}

/// Reads a part of a document whose syntax is known to be right: what is left to refuse are escapes of half a character
/// (a surrogate without its other half, RFC 8259 section 8.2).
fn part<'a, T: de::Deserialize<'a>>(text: &'a str, refused: impl FnOnce() -> JsonError) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|_| refused())
}

fn number(text: &str) -> Option<Value> {
    let is_integer = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    if !is_integer {
        return text.parse().ok().and_then(Number::from_f64).map(Value::Number);
    }
    let small = text.parse::<i64>().ok().filter(|value| value.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs());
    Some(small.map_or_else(|| Value::String(text.to_owned()), Value::from))
}

/// The members of an object in the order of the text, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> de::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> FieldError {
        match parse(text.as_bytes()) {
            Err(JsonError::Refused(error)) => error,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn big_integers_become_strings() {
        let value =
            parse(br#"{"a":340282366920938463463374607431768211455,"b":-9007199254740992,"c":9007199254740991}"#);
        let expected = serde_json::json!({
            "a": "340282366920938463463374607431768211455", "b": "-9007199254740992", "c": 9_007_199_254_740_991_i64
        });
        assert_eq!(value, Ok(expected));
        assert_eq!(parse(b"-9223372036854775808"), Ok(Value::from("-9223372036854775808")));
    }

    #[test]
    fn a_name_given_twice_is_refused_where_it_stands() {
        assert_eq!(refused(r#"{"a":[{"b":1,"\u0062":2}]}"#).pointer, "/a/0/b");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert!(refused(&deep).reason.contains("32"));
        let fine = format!("{}{}", "[".repeat(32), "]".repeat(32));
        assert!(parse(fine.as_bytes()).is_ok());
        let absurd = "[".repeat(100_000);
        assert!(matches!(parse(absurd.as_bytes()), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn numbers_beyond_f64_are_refused() {
        assert_eq!(refused(r#"{"x":1e999}"#).pointer, "/x");
    }

    #[test]
    fn half_a_character_is_refused_where_it_stands() {
        for half in [r"\ud800", r"\udc00 and more", r"\ud83d\ud83d", r"\ud800\n"] {
            assert_eq!(refused(&format!(r#"{{"a":[1,"{half}"]}}"#)).pointer, "/a/1", "{half}");
            assert_eq!(refused(&format!(r#"{{"a":{{"{half}":1}}}}"#)).pointer, "/a", "{half}");
            assert_eq!(refused(&format!(r#""{half}""#)).pointer, "");
        }
        assert_eq!(parse(br#"["\ud83d\ude00"]"#), Ok(serde_json::json!(["😀"])));
    }

    #[test]
    fn garbage_is_named() {
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(JsonError::Utf8(6)));
        for text in ["", "{", "{\"a\":01}", "nul", "{} x", "{\"a\":\"\u{1}\"}"] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Syntax(_))), "{text}");
        }
    }
}
