//! What is asked for when a key is made or rotated, read strictly.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use jobs::{ErrorCode, FieldError, KeyMode, Scope, Scopes, UserId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::policy::problem::Problem;

/// Longest name of a key, in characters.
const MAX_NAME: usize = 100;

/// Lifetime of a key that says nothing else.
const LIFETIME: TimeDelta = TimeDelta::days(365);

/// Longest lifetime: a year, whatever the year and the client's clock.
const MAX_LIFETIME: TimeDelta = TimeDelta::days(367);

/// A day: time to bring the new key everywhere.
const OVERLAP_SECONDS: i64 = 86_400;

/// A month.
const MAX_OVERLAP_SECONDS: i64 = 30 * 86_400;

/// More scopes than there are.
const MAX_SCOPES: usize = 20;

/// An API key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct NewApiKey {
    /// What it is for, in the caller's words.
    #[schema(min_length = 1, max_length = 100, example = "nightly import")]
    name: String,
    /// Among those of the caller's credential and of the user's role; all of these when absent.
    #[schema(min_items = 1, example = json!(["jobs:submit", "jobs:read"]))]
    scopes: Option<Vec<String>>,
    /// A `zj_test_` key: the same interface on the tenant's sandbox, free; without `jobs:admin`.
    #[schema(default = false)]
    test_mode: Option<bool>,
    /// A year ahead at most, and when absent.
    expires_at: Option<DateTime<Utc>>,
    /// Whom the key is to speak for; the caller when absent. Another user's needs `jobs:admin`.
    #[schema(example = "ci-bot")]
    user: Option<String>,
}

/// How an API key is rotated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct ApiKeyRotation {
    /// Seconds for which the old key goes on; 0 ends it at once.
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    overlap_seconds: Option<i64>,
    /// When the new key expires, a year ahead at most; it lasts as long as the old one was to last when absent.
    expires_at: Option<DateTime<Utc>>,
}

/// What the body of a new key says.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) scopes: Option<Scopes>,
    pub(super) mode: KeyMode,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) user: Option<UserId>,
}

/// What the body of a rotation says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RotationWish {
    pub(super) overlap_seconds: i64,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// # Errors
/// INVALID_REQUEST with every wrong field.
pub(super) fn read(body: &Value, now: DateTime<Utc>) -> Result<Wish, Problem> {
    let mut errors = FieldErrors::default();
    let wish = Object::open(&At::root(body), &mut errors).and_then(|mut object| {
        let name = object.required("name").and_then(|at| name(&at, &mut errors));
        let scopes = object.optional("scopes").and_then(|at| at.all(MAX_SCOPES, &mut errors, At::parsed::<Scope>));
        let is_test = object.optional("test_mode").and_then(|at| at.boolean(&mut errors)).unwrap_or_default();
        let expires_at = object.optional("expires_at").and_then(|at| expiry(&at, now, &mut errors));
        let user = object.optional("user").and_then(|at| at.parsed(&mut errors));
        object.close(&mut errors);
        Some(Wish {
            name: name?,
            scopes: scopes.map(|scopes| scopes.into_iter().collect()),
            mode: if is_test { KeyMode::Test } else { KeyMode::Live },
            expires_at: expires_at.unwrap_or(now + LIFETIME),
            user,
        })
    });
    errors.or(wish).map_err(refusal)
}

/// # Errors
/// INVALID_REQUEST with every wrong field.
pub(super) fn read_rotation(body: &Value, now: DateTime<Utc>) -> Result<RotationWish, Problem> {
    let mut errors = FieldErrors::default();
    let wish = Object::open(&At::root(body), &mut errors).map(|mut object| {
        let overlap = object.optional("overlap_seconds");
        let overlap = overlap.and_then(|at| at.integer(0..=MAX_OVERLAP_SECONDS, &mut errors));
        let expires_at = object.optional("expires_at").and_then(|at| expiry(&at, now, &mut errors));
        object.close(&mut errors);
        RotationWish { overlap_seconds: overlap.unwrap_or(OVERLAP_SECONDS), expires_at }
    });
    errors.or(wish).map_err(refusal)
}

fn name(at: &At<'_>, errors: &mut FieldErrors) -> Option<String> {
    let text = at.text(errors)?;
    let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !fits || text.trim().is_empty() {
        errors.add(&at.pointer, format!("must be 1 to {MAX_NAME} characters, none of them a control character"));
        return None;
    }
    Some(text.to_owned())
}

fn expiry(at: &At<'_>, now: DateTime<Utc>, errors: &mut FieldErrors) -> Option<DateTime<Utc>> {
    let time = at.time(errors)?;
    if time <= now || time > now + MAX_LIFETIME {
        errors.add(&at.pointer, "must be in the future, a year ahead at most");
        return None;
    }
    Some(time)
}

pub(super) fn refusal(errors: Vec<FieldError>) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, "The API key is not valid.").with_errors(errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-14T09:26:53Z".parse().unwrap()
    }

    #[test]
    fn what_is_not_said_is_a_live_key_for_a_year() {
        let wish = read(&json!({"name": "n", "scopes": null}), now()).unwrap();
        assert_eq!((wish.mode, wish.expires_at), (KeyMode::Live, "2027-03-14T09:26:53Z".parse().unwrap()));
        assert!(wish.scopes.is_none() && wish.user.is_none());
        let whole = json!({"name": "é".repeat(100), "scopes": ["jobs:read", "jobs:read"], "test_mode": true,
                           "expires_at": "2026-03-14T10:00:00+00:00", "user": "ci-bot"});
        let wish = read(&whole, now()).unwrap();
        assert_eq!((wish.mode, wish.scopes.unwrap().to_string().as_str()), (KeyMode::Test, "jobs:read"));
        let wish = read_rotation(&json!({}), now()).unwrap();
        assert_eq!(wish, RotationWish { overlap_seconds: 86_400, expires_at: None });
    }

    #[test]
    fn everything_else_is_refused() {
        for wrong in [
            json!([]),
            json!({}),
            json!({"name": ""}),
            json!({"name": "  "}),
            json!({"name": "a\nb"}),
            json!({"name": "x".repeat(101)}),
            json!({"name": 7}),
            json!({"name": "n", "scopes": []}),
            json!({"name": "n", "scopes": ["jobs:everything"]}),
            json!({"name": "n", "scopes": "jobs:read"}),
            json!({"name": "n", "test_mode": "yes"}),
            json!({"name": "n", "expires_at": "2026-03-14T09:26:53Z"}),
            json!({"name": "n", "expires_at": "2028-03-14T09:26:53Z"}),
            json!({"name": "n", "expires_at": "never"}),
            json!({"name": "n", "user": "Ada"}),
            json!({"name": "n", "tenant": "acme"}),
        ] {
            assert!(read(&wrong, now()).is_err(), "{wrong}");
        }
        for wrong in [json!(1), json!({"overlap_seconds": -1}), json!({"overlap_seconds": 2_592_001}), json!({"x": 1})]
        {
            assert!(read_rotation(&wrong, now()).is_err(), "{wrong}");
        }
    }
}
