//! The identifiers that travel to Lago: where it is (`Origin`) and what things are called there (`ExternalId`).

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::LagoError;

const LONGEST_ID: usize = 128;

/// Lago's address without a path, for example `http://127.0.0.1:3000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// # Errors
    /// [`LagoError::Invalid`] for anything that is not a bare http or https origin.
    pub fn parse(text: &str) -> Result<Self, LagoError> {
        let refused = |why: &str| LagoError::Invalid(format!("{text:?} is not an origin of Lago: {why}"));
        let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(refused("it needs http or https and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it must not carry credentials"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it must not have a path, a query or a fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The address of Lago's REST API, without a slash at the end.
    pub(crate) fn api(&self) -> String {
        format!("{}/api/v1", self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Our name for a customer, subscription or plan in Lago; a tenant's id is its customer's and its subscription's.
///
/// Only letters, digits, `-` and `_`: lago-client puts ids into paths as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

impl ExternalId {
    /// # Errors
    /// [`LagoError::Invalid`] when the text is empty, longer than 128 characters or not safe in a path.
    pub fn parse(text: &str) -> Result<Self, LagoError> {
        let safe = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if text.is_empty() || text.len() > LONGEST_ID || !safe {
            return Err(LagoError::Invalid(format!("{text:?} cannot be an id in Lago: use letters, digits, - and _")));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for ExternalId {
    type Error = LagoError;

    fn try_from(text: String) -> Result<Self, LagoError> {
        Self::parse(&text)
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_alone() {
        assert_eq!(Origin::parse("http://127.0.0.1:3000/").unwrap().api(), "http://127.0.0.1:3000/api/v1");
        assert_eq!(Origin::parse("https://lago.example").unwrap().to_string(), "https://lago.example");
        for text in [
            "",
            "lago.example",
            "ftp://lago.example",
            "http://lago.example/api/v1",
            "http://a:b@lago.example",
            "http://lago.example/?x=1",
        ] {
            assert!(Origin::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn an_id_cannot_leave_its_path_segment() {
        assert!(ExternalId::parse("acme-2").is_ok());
        for text in ["", "a/b", "../x", "a?b", "a%2fb", "a b", "ä", &"x".repeat(129)] {
            assert!(ExternalId::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
