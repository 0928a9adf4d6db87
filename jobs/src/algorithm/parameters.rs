//! `payload.parameters` of a plain job: `{timeout}`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field_error::{FieldError, FieldErrors};
use crate::object::{At, Object};

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
        let read = Self::read(&At::root(value), &mut errors);
        errors.or(read)
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut fields = Object::open(at, errors)?;
        let timeout = fields.optional("timeout");
        fields.close(errors);
        let Some(at) = timeout else { return Some(Self::default()) };
        let seconds = at.integer(1..=i64::from(MAX_TIMEOUT_SECONDS), errors)?;
        u32::try_from(seconds).ok().map(|timeout_seconds| Self { timeout_seconds })
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
        assert_eq!([json!({}), json!({"timeout": null}), json!({"timeout": 3.6e3})].map(seconds), [300, 300, 3_600]);
    }

    #[test]
    fn anything_else_is_refused_at_its_pointer() {
        for wrong in [json!(0), json!(3_601), json!(-1), json!(1.5), json!("300"), json!(1e300)] {
            let errors = Parameters::parse(Some(&json!({ "timeout": wrong }))).unwrap_err();
            assert_eq!(errors[0].pointer, "/timeout", "{wrong}");
        }
        assert_eq!(Parameters::parse(Some(&json!({"retries": 1}))).unwrap_err()[0].pointer, "/retries");
        assert_eq!(Parameters::parse(Some(&json!(null))).unwrap_err()[0].pointer, "");
    }
}
