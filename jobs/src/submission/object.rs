//! Reading a JSON object field by field, so that what remains at the end is unknown.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::field_error::{FieldError, member};

/// An object whose fields are taken one after the other.
pub(super) struct Object<'a> {
    fields: &'a Map<String, Value>,
    taken: Vec<&'static str>,
    missing: Vec<&'static str>,
    pointer: String,
}

/// A value and where it stands.
pub(super) struct At<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

impl<'a> Object<'a> {
    pub(super) fn open(value: &'a Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let Value::Object(fields) = value else {
            errors.push(FieldError::new(pointer, "must be an object"));
            return None;
        };
        Some(Self { fields, taken: Vec::new(), missing: Vec::new(), pointer: pointer.to_owned() })
    }

    /// A null is the same as an absent field.
    pub(super) fn optional(&mut self, name: &'static str) -> Option<At<'a>> {
        self.taken.push(name);
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        Some(At { value, pointer: member(&self.pointer, name) })
    }

    pub(super) fn required(&mut self, name: &'static str) -> Option<At<'a>> {
        let found = self.optional(name);
        if found.is_none() {
            self.missing.push(name);
        }
        found
    }

    /// A field under one of two names; both at once are refused.
    pub(super) fn optional_alias(
        &mut self,
        name: &'static str,
        alias: &'static str,
        errors: &mut Vec<FieldError>,
    ) -> Option<At<'a>> {
        if self.fields.contains_key(name) && self.fields.contains_key(alias) {
            errors.push(FieldError::new(member(&self.pointer, alias), format!("is another name of {name}; give one")));
        }
        let found = self.optional(name);
        let other = self.optional(alias);
        found.or(other)
    }

    /// Refuses what was not taken, and names what is missing.
    pub(super) fn close(self, errors: &mut Vec<FieldError>) {
        for name in self.missing {
            errors.push(FieldError::new(member(&self.pointer, name), super::MISSING));
        }
        for name in self.fields.keys().filter(|name| !self.taken.contains(&name.as_str())) {
            errors.push(FieldError::new(member(&self.pointer, name), "is not a known field"));
        }
    }
}

impl At<'_> {
    pub(super) fn text(&self, errors: &mut Vec<FieldError>) -> Option<String> {
        self.check(self.value.as_str().map(str::to_owned), "must be a string", errors)
    }

    pub(super) fn boolean(&self, errors: &mut Vec<FieldError>) -> Option<bool> {
        self.check(self.value.as_bool(), "must be true or false", errors)
    }

    pub(super) fn time(&self, errors: &mut Vec<FieldError>) -> Option<DateTime<Utc>> {
        let time = self.value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        self.check(time.map(|time| time.with_timezone(&Utc)), "must be a time of RFC 3339", errors)
    }

    /// One word of a fixed list.
    pub(super) fn word<T: FromStr<Err = String>>(&self, errors: &mut Vec<FieldError>) -> Option<T> {
        let text = self.text(errors)?;
        text.parse().map_err(|reason: String| errors.push(FieldError::new(&self.pointer, reason))).ok()
    }

    fn check<T>(&self, value: Option<T>, reason: &str, errors: &mut Vec<FieldError>) -> Option<T> {
        if value.is_none() {
            errors.push(FieldError::new(&self.pointer, reason));
        }
        value
    }
}
