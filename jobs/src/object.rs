//! Reading a client's JSON object strictly, field by field: what remains at the end is unknown, and every complaint
//! has its pointer.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::field_error::{FieldErrors, element, member};
use crate::json::MAX_SAFE_INTEGER;

/// The reason given for a field that is missing.
pub(crate) const REQUIRED: &str = "is required";

/// An object whose fields are taken one after the other. A null is the same as an absent field.
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    taken: Vec<&'static str>,
    missing: Vec<&'static str>,
    pointer: String,
}

/// A value and where it stands.
#[derive(Clone)]
pub struct At<'a> {
    pub value: &'a Value,
    pub pointer: String,
}

impl<'a> Object<'a> {
    /// The fields of what stands `at` a place, unless it is no object.
    pub fn open(at: &At<'a>, errors: &mut FieldErrors) -> Option<Self> {
        let Value::Object(fields) = at.value else {
            errors.add(&at.pointer, "must be an object");
            return None;
        };
        Some(Self { fields, taken: Vec::new(), missing: Vec::new(), pointer: at.pointer.clone() })
    }

    /// A field that may be absent.
    pub fn optional(&mut self, name: &'static str) -> Option<At<'a>> {
        self.taken.push(name);
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        Some(At { value, pointer: member(&self.pointer, name) })
    }

    /// A field that must be there.
    pub fn required(&mut self, name: &'static str) -> Option<At<'a>> {
        let found = self.optional(name);
        if found.is_none() {
            self.missing.push(name);
        }
        found
    }

    /// A field under one of two names; both at once are refused.
    pub fn optional_alias(
        &mut self,
        name: &'static str,
        alias: &'static str,
        errors: &mut FieldErrors,
    ) -> Option<At<'a>> {
        if self.fields.contains_key(name) && self.fields.contains_key(alias) {
            errors.add(member(&self.pointer, alias), format!("is another name of {name}; give one"));
        }
        let found = self.optional(name);
        let other = self.optional(alias);
        found.or(other)
    }

    /// Refuses what was not taken, and names what is missing.
    pub fn close(self, errors: &mut FieldErrors) {
        for name in self.fields.keys().filter(|name| !self.taken.contains(&name.as_str())) {
            errors.add(member(&self.pointer, name), "is not a known field");
        }
        for name in self.missing {
            errors.add(member(&self.pointer, name), REQUIRED);
        }
    }
}

impl<'a> At<'a> {
    /// A whole document.
    pub fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// A string.
    pub fn text(&self, errors: &mut FieldErrors) -> Option<&'a str> {
        self.check(self.value.as_str(), "must be a string", errors)
    }

    /// True or false.
    pub fn boolean(&self, errors: &mut FieldErrors) -> Option<bool> {
        self.check(self.value.as_bool(), "must be true or false", errors)
    }

    /// A time of RFC 3339.
    pub fn time(&self, errors: &mut FieldErrors) -> Option<DateTime<Utc>> {
        let time = self.value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        self.check(time.map(|time| time.with_timezone(&Utc)), "must be a time of RFC 3339", errors)
    }

    /// What a string stands for.
    pub fn parsed<T: FromStr<Err: Display>>(&self, errors: &mut FieldErrors) -> Option<T> {
        let text = self.text(errors)?;
        text.parse().map_err(|reason: T::Err| errors.add(&self.pointer, reason.to_string())).ok()
    }

    /// An integer within a range of safe ones, however it is written.
    pub fn integer(&self, range: RangeInclusive<i64>, errors: &mut FieldErrors) -> Option<i64> {
        let found = integer(self.value).filter(|number| range.contains(number));
        self.check(found, &format!("must be an integer, {} to {}", range.start(), range.end()), errors)
    }

    /// 1 to `max` elements.
    pub fn array(&self, max: usize, errors: &mut FieldErrors) -> Option<&'a [Value]> {
        let elements = self.check(self.value.as_array(), "must be an array", errors)?;
        if elements.is_empty() || elements.len() > max {
            errors.add(&self.pointer, format!("must have 1 to {max} elements; it has {}", elements.len()));
            return None;
        }
        Some(elements)
    }

    /// 1 to `max` elements, each where it stands.
    pub fn elements(&self, max: usize, errors: &mut FieldErrors) -> Option<Vec<At<'a>>> {
        let elements = self.array(max, errors)?.iter().enumerate();
        Some(elements.map(|(index, value)| At { value, pointer: element(&self.pointer, index) }).collect())
    }

    /// 1 to `max` elements, each read by `read`; `None` when one of them was refused. Ends when nothing more would be
    /// complained about.
    pub fn all<T>(
        &self,
        max: usize,
        errors: &mut FieldErrors,
        mut read: impl FnMut(&At<'a>, &mut FieldErrors) -> Option<T>,
    ) -> Option<Vec<T>> {
        let elements = self.elements(max, errors)?;
        let mut all = Some(Vec::with_capacity(elements.len()));
        for at in elements {
            match (read(&at, errors), &mut all) {
                (Some(one), Some(all)) => all.push(one),
                _ => all = None,
            }
            if errors.is_full() {
                return None;
            }
        }
        all
    }

    fn check<T>(&self, value: Option<T>, reason: &str, errors: &mut FieldErrors) -> Option<T> {
        if value.is_none() {
            errors.add(&self.pointer, reason);
        }
        value
    }
}

/// An integer within ±(2^53 − 1), however it is written: `300`, `300.0` and `3e2` have one canonical form (RFC 8785),
/// hence one content hash, hence one meaning.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    number.as_i64().or_else(|| {
        let number = number.as_f64()?;
        #[expect(clippy::cast_precision_loss, reason = "2^53 − 1 is a double")]
        let safe = number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±(2^53 − 1)")]
        safe.then_some(number as i64)
    })
}

/// An integer of 0 or more; one beyond 2^53 − 1 arrives as its decimal string.
pub(crate) fn unsigned_integer(value: &Value) -> Option<u64> {
    match value {
        Value::String(digits) if is_plain_integer(digits) => digits.parse().ok(),
        Value::Number(number) if number.is_u64() => number.as_u64(),
        _ => integer(value).and_then(|number| u64::try_from(number).ok()),
    }
}

/// Whether `text` is a decimal integer without sign, leading zeros, or anything else.
pub(crate) fn is_plain_integer(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_read_in_every_notation() {
        let read = [json!(300), json!(300.0), json!(3e2), json!(-0.0), json!(-7)].map(|value| integer(&value));
        assert_eq!(read, [Some(300), Some(300), Some(300), Some(0), Some(-7)]);
        for wrong in [json!(0.5), json!(1e300), json!("300"), json!(null), json!([1])] {
            assert_eq!(integer(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn great_integers_are_read_from_their_digits() {
        let read = [json!(0), json!("18446744073709551615"), json!(u64::MAX), json!(2e3), json!("7")];
        assert_eq!(
            read.map(|value| unsigned_integer(&value)),
            [Some(0), Some(u64::MAX), Some(u64::MAX), Some(2_000), Some(7)]
        );
        for wrong in [json!(-1), json!("18446744073709551616"), json!("07"), json!("-1"), json!(""), json!(1.5)] {
            assert_eq!(unsigned_integer(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn unknown_fields_come_before_missing_ones() {
        let mut errors = FieldErrors::default();
        let document = json!({"x": 1, "known": null});
        let mut object = Object::open(&At::root(&document), &mut errors).unwrap();
        assert!(object.required("known").is_none());
        object.close(&mut errors);
        let found = errors.or(Some(())).unwrap_err();
        let pointers: Vec<_> = found.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/x", "/known"]);
    }
}
