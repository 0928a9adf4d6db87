//! Identifiers: job, tenant and user. Each is a type of its own, so that one is never taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

/// UUIDv7 (RFC 9562): sorts by creation time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// A new id for a job that is created now.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The 16 bytes left-aligned in a word, as the leaf on chain carries them.
    #[must_use]
    pub fn to_word(self) -> [u8; 32] {
        let mut word = [0; 32];
        word[..16].copy_from_slice(self.0.as_bytes());
        word
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Only the lower-case hyphenated form is an id, so that one job has one URL.
impl FromStr for JobId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidId::Job)?;
        if id.to_string() == text { Ok(id) } else { Err(InvalidId::Job) }
    }
}

/// UUIDv7 (RFC 9562) of a quote.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct QuoteId(pub Uuid);

impl QuoteId {
    /// A new id for a quote that is made now.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for QuoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// As of a job.
impl FromStr for QuoteId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidId::Quote)?;
        if id.to_string() == text { Ok(id) } else { Err(InvalidId::Quote) }
    }
}

/// `[a-z0-9][a-z0-9-]{0,62}`; safe in a URL, a workflow id and a billing id.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// A person or service of a tenant: the same alphabet as a tenant.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

/// A text that is not an identifier of the kind that was asked for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidId {
    #[error("a job id is a lower-case hyphenated UUID")]
    Job,
    #[error("a quote id is a lower-case hyphenated UUID")]
    Quote,
    #[error("a tenant id is 1 to 63 of a-z, 0-9 and -, and does not begin with -")]
    Tenant,
    #[error("a user id is 1 to 63 of a-z, 0-9 and -, and does not begin with -")]
    User,
}

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

macro_rules! slug {
    ($name:ident, $invalid:expr) => {
        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_slug(text) { Ok(Self(text.to_owned())) } else { Err($invalid) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

slug!(TenantId, InvalidId::Tenant);
slug!(UserId, InvalidId::User);

/// How the names of sandboxes end, and those of no other tenants.
const SANDBOX: &str = "--test";

/// Longest name of a tenant, in bytes.
const LONGEST: usize = 63;

impl TenantId {
    /// Where the tenant's test keys act: a tenant by itself, so that whatever keeps tenants apart keeps tests apart.
    #[must_use]
    pub fn sandbox(&self) -> Self {
        let room = LONGEST - SANDBOX.len();
        if self.0.len() <= room {
            return Self(format!("{}{SANDBOX}", self.0));
        }
        // What does not fit is told apart by its hash.
        let digest = hex::encode(&Sha256::digest(&self.0)[..8]);
        Self(format!("{}-{digest}{SANDBOX}", &self.0[..room - digest.len() - 1]))
    }

    /// Whether the name is a sandbox's.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.0.ends_with(SANDBOX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_slugs() {
        for good in ["a", "0", "acme-labs", &"x".repeat(63)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "ä", &"x".repeat(64)] {
            assert_eq!(bad.parse::<TenantId>(), Err(InvalidId::Tenant), "{bad}");
        }
    }

    #[test]
    fn every_tenant_has_a_sandbox_of_its_own() {
        let tenant = |text: &str| text.parse::<TenantId>().unwrap();
        assert_eq!(tenant("acme").sandbox().as_str(), "acme--test");
        let (long, other) = (tenant(&"x".repeat(63)), tenant(&format!("{}y", "x".repeat(62))));
        for tenant in [&long, &other, &tenant("0"), &tenant(&"x".repeat(57)), &tenant(&"x".repeat(58))] {
            let sandbox = tenant.sandbox();
            assert_eq!(sandbox.as_str().parse(), Ok(sandbox.clone()), "a name like any other");
            assert!(sandbox.is_sandbox() && !tenant.is_sandbox());
        }
        assert_ne!(long.sandbox(), other.sandbox());
    }

    #[test]
    fn a_job_has_one_spelling() {
        let id = JobId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<JobId>().is_err());
        assert!(id.0.as_simple().to_string().parse::<JobId>().is_err());
    }

    #[test]
    fn a_quote_has_one_spelling() {
        let id = QuoteId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<QuoteId>(), Err(InvalidId::Quote));
    }

    #[test]
    fn a_word_is_left_aligned() {
        let id = JobId::generate();
        assert_eq!(&id.to_word()[..16], id.0.as_bytes());
        assert_eq!(&id.to_word()[16..], &[0; 16]);
    }
}
