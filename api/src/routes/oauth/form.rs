//! The body of a request to the issuer (RFC 6749 appendix B), read strictly.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use jobs::ErrorCode;
use url::form_urlencoded;

use super::refusal::{OAuthError, Refusal};
use crate::ApiState;
use crate::policy::body;

pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Largest body, in bytes: an assertion with a certificate chain is a few thousand.
const MAX_BYTES: usize = 64 << 10;

/// The parameters of a request.
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// A parameter; one without a value is as good as omitted (RFC 6749 section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// # Errors
    /// invalid_request when it is missing.
    pub fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| invalid(format!("The parameter {name} is missing.")))
    }

    fn read(body: &[u8]) -> Result<Self, Refusal> {
        if std::str::from_utf8(body).is_err() {
            return Err(invalid("The body is not UTF-8."));
        }
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if value.contains(char::is_control) {
                return Err(invalid("A parameter holds control characters."));
            }
            if values.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(invalid("A parameter is given twice."));
            }
        }
        Ok(Self(values))
    }
}

impl FromRequest<Arc<ApiState>> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Arc<ApiState>) -> Result<Self, Refusal> {
        let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
        let given = types.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim();
        if types.next().is_some() || !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(invalid(format!("The content type must be {MEDIA_TYPE}.")));
        }
        let is_encoded = body::check_content_encoding(request.headers()).is_err();
        if is_encoded {
            return Err(invalid("The body must not be encoded."));
        }
        let bytes = body::read(request.into_body(), MAX_BYTES).await.map_err(|problem| match problem.code() {
            ErrorCode::InvalidRequest => invalid("The body ended before its end."),
            _ => Refusal::Problem(problem),
        })?;
        Self::read(&bytes)
    }
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(OAuthError::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_once_and_empty_ones_not_at_all() {
        let form = Form::read(b"grant_type=a%20b&scope=&x=%C3%A9+%2B").ok().unwrap();
        assert_eq!(form.get("grant_type"), Some("a b"));
        assert_eq!(form.get("scope"), None);
        assert_eq!(form.get("x"), Some("é +"));
        assert!(form.require("scope").is_err());
        for bad in [b"a=1&a=2".as_slice(), b"a=&a=", b"a=\xff", b"a=%00", b"a=%0d%0a"] {
            assert!(Form::read(bad).is_err(), "{bad:?}");
        }
    }
}
