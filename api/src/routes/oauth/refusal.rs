//! How the issuer refuses: with the errors of its RFCs, which OAuth libraries read, and with a problem document where the
//! RFCs say nothing.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::policy::problem::Problem;

/// A 401 names a way to authenticate (RFC 9110 section 11.6.1).
const CHALLENGE: &str = r#"Basic realm="zama-jobs", charset="UTF-8""#;

/// The errors of RFC 6749 section 5.2 and RFC 8628 section 3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OAuthError {
    /// A parameter is missing, given twice or cannot be read, or a client authenticates in two ways.
    InvalidRequest,
    /// The client is not known, or did not prove itself.
    InvalidClient,
    /// The refresh token or device code is not valid (any more), or belongs to another client.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// There is no such grant here.
    UnsupportedGrantType,
    /// A scope that there is not, or that is more than was granted.
    InvalidScope,
    /// The person has not decided yet: ask again after `interval`.
    AuthorizationPending,
    /// The same, and the device asks too often: five seconds more between polls from now on.
    SlowDown,
    /// The person said no.
    AccessDenied,
    /// The device code has expired: begin again.
    ExpiredToken,
}

/// A refused request.
#[derive(Clone, Debug)]
pub enum Refusal {
    OAuth { error: OAuthError, description: Cow<'static, str> },
    Problem(Problem),
}

/// What the client is told.
#[derive(Serialize, ToSchema)]
pub struct OAuthRefusal {
    pub error: OAuthError,
    /// A sentence for people.
    #[schema(value_type = String, example = "The refresh token is not valid.")]
    pub error_description: Cow<'static, str>,
}

impl Refusal {
    pub fn new(error: OAuthError, description: impl Into<Cow<'static, str>>) -> Self {
        Self::OAuth { error, description: description.into() }
    }

    /// Not which part of the proof was wrong: whoever guesses learns nothing.
    pub fn client() -> Self {
        Self::new(OAuthError::InvalidClient, "The client is not known, or did not prove itself.")
    }

    /// The keys, or what was revoked, cannot be read.
    pub fn unavailable() -> Self {
        Self::Problem(Problem::new(ErrorCode::ServiceUnavailable, "The issuer's keys cannot be read now."))
    }

    /// Something of ours failed.
    pub fn internal(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "the issuer failed");
        Self::Problem(Problem::internal())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (error, description) = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::OAuth { error, description } => (error, description),
        };
        let status = match error {
            OAuthError::InvalidClient => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut response =
            (status, not_stored(Json(OAuthRefusal { error, error_description: description }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response
    }
}

/// An answer that nobody may keep (RFC 6749 section 5.1).
pub fn not_stored(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], answer).into_response()
}
