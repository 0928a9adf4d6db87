//! Query strings, read strictly: an unknown, repeated or malformed parameter is refused by name.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use jobs::{ErrorCode, FieldError};

use super::problem::Problem;

/// The parameters of a query, taken one after the other.
pub struct Parameters {
    values: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
            return Err(Problem::new(ErrorCode::InvalidRequest, "The query cannot be read."));
        };
        let mut parameters = Self { values: BTreeMap::new(), errors: Vec::new() };
        for (name, value) in pairs {
            if parameters.values.contains_key(&name) {
                parameters.complain(&name, "is given twice");
            }
            parameters.values.insert(name, value);
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// A parameter, if it was given; `read` says what is wrong with it.
    pub fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.values.remove(name)?;
        // No parameter has any, and a database takes no NUL.
        if text.contains(char::is_control) {
            self.complain(name, "holds control characters");
            return None;
        }
        read(&text).map_err(|reason| self.complain(name, reason)).ok()
    }

    /// A parameter with a time of RFC 3339. A `+` that came as a space is one.
    pub fn take_time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.take(name, |text| {
            let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
            time.map(|time| time.with_timezone(&Utc)).map_err(|_| "must be a time of RFC 3339".to_owned())
        })
    }

    /// An integer within bounds, or the default.
    pub fn take_integer(&mut self, name: &str, bounds: std::ops::RangeInclusive<i64>, default: i64) -> i64 {
        let (low, high) = (*bounds.start(), *bounds.end());
        let read = |text: &str| {
            let value = text.parse().ok().filter(|value| bounds.contains(value));
            value.ok_or_else(|| format!("must be an integer from {low} to {high}"))
        };
        self.take(name, read).unwrap_or(default)
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// INVALID_REQUEST with every parameter that is wrong.
    pub fn close(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.values).into_keys() {
            self.complain(&name, "is not a known parameter");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.truncate(jobs::field_error::MAX_FIELD_ERRORS);
        Err(Problem::new(ErrorCode::InvalidRequest, "The query is not valid.").with_errors(self.errors))
    }

    /// Refuses a parameter, for this reason.
    pub fn complain(&mut self, name: &str, reason: impl Into<String>) {
        self.errors.push(FieldError::new(jobs::field_error::member("", name), reason));
    }
}
