//! `payload.parameters` of a plain job: `{timeout}`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reader::{object, unsigned_integer};
use crate::field_error::{FieldError, FieldErrors};

/// Seconds of computing that a job may take when it does not say.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 300;

/// Most seconds of computing that a job may ask for.
pub const MAX_TIMEOUT_SECONDS: u32 = 3_600;

/// How a plain job is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Seconds of computing after which the job fails, 1 to [`MAX_TIMEOUT_SECONDS`].
    #[serde(rename = "timeout")]
    pub timeout_seconds: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { timeout_seconds: DEFAULT_TIMEOUT_SECONDS }
    }
}

impl Parameters {
    /// Checks `payload.parameters`; absent means the defaults.
    ///
    /// # Errors
    /// What is wrong, field by field, with pointers relative to `parameters`.
    pub fn parse(value: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let Some(value) = value else { return Ok(Self::default()) };
        let mut errors = FieldErrors::default();
        let fields = object(value, &["timeout"], &mut errors)?;
        let timeout_seconds = match fields.get("timeout") {
            None => Some(DEFAULT_TIMEOUT_SECONDS),
            Some(value) => unsigned_integer(value)
                .and_then(|seconds| u32::try_from(seconds).ok())
                .filter(|seconds| (1..=MAX_TIMEOUT_SECONDS).contains(seconds)),
        };
        if timeout_seconds.is_none() {
            errors.add("/timeout", format!("must be an integer of seconds, 1 to {MAX_TIMEOUT_SECONDS}"));
        }
        errors.or(timeout_seconds.map(|timeout_seconds| Self { timeout_seconds }))
    }

    /// The time of computing after which the job fails.
    pub fn timeout(self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_timeout_is_read_or_defaulted() {
        let seconds = |value: Value| Parameters::parse(Some(&value)).unwrap().timeout_seconds;
        assert_eq!(Parameters::parse(None).unwrap().timeout(), Duration::from_secs(300));
        assert_eq!([json!({}), json!({"timeout": 1}), json!({"timeout": 3.6e3})].map(seconds), [300, 1, 3_600]);
    }

    #[test]
    fn anything_else_is_refused_at_its_pointer() {
        for wrong in [json!(0), json!(3_601), json!(-1), json!(1.5), json!("300"), json!(null), json!(1e300)] {
            let errors = Parameters::parse(Some(&json!({ "timeout": wrong }))).unwrap_err();
            assert_eq!(errors[0].pointer, "/timeout", "{wrong}");
        }
        assert_eq!(Parameters::parse(Some(&json!({"retries": 1}))).unwrap_err()[0].pointer, "/retries");
        assert_eq!(Parameters::parse(Some(&json!(null))).unwrap_err()[0].pointer, "");
    }
}
