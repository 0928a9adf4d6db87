//! The audit log's form: an entry, its canonical bytes, and the chain of hashes that shows what was changed, removed or
//! put elsewhere. `docs/audit.md` says it for those who check with something else.

use std::net::IpAddr;

use alloy::primitives::B256;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use utoipa::ToSchema;

use crate::{ErrorCode, TenantId, UserId, canonical};

/// The credential of those who have the database.
const OPERATOR: &str = "operator";

/// What became of a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    Refused,
}

/// What was done or tried, before it has its place in a chain. Every member is always there, null where nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// The operation's id in the OpenAPI document, or an operator's command.
    pub action: String,
    pub outcome: Outcome,
    /// Why it was refused.
    pub code: Option<ErrorCode>,
    pub user: Option<UserId>,
    /// What was shown: `access_token`, `external_token`, `api_key:ID`, `client:ID`, `login_code`, `grant`; of a command
    /// `operator`.
    pub credential: String,
    /// Path of what it was done to.
    pub target: String,
    pub request_id: Option<String>,
    pub address: Option<IpAddr>,
    /// What else is worth knowing: an object of strings, integers and booleans.
    pub detail: Value,
}

impl AuditEntry {
    /// What an operator's command did, now.
    #[must_use]
    pub fn of_operator(action: &str, target: String, detail: Value) -> Self {
        Self {
            at: Utc::now().trunc_subsecs(6),
            action: action.to_owned(),
            outcome: Outcome::Done,
            code: None,
            user: None,
            credential: OPERATOR.to_owned(),
            target,
            request_id: None,
            address: None,
            detail,
        }
    }
}

/// An entry at its place in its tenant's chain.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ChainedEntry {
    #[schema(value_type = String, example = "acme")]
    pub tenant: TenantId,
    /// 1, 2, 3, … without a gap.
    pub seq: i64,
    pub at: DateTime<Utc>,
    /// The operation's id in this document, or an operator's command.
    #[schema(example = "create_api_key")]
    pub action: String,
    pub outcome: Outcome,
    /// Why it was refused.
    pub code: Option<ErrorCode>,
    #[schema(value_type = Option<String>, example = "ada")]
    pub user: Option<UserId>,
    /// What was shown: `access_token`, `api_key:ID`, `client:ID`; of a command `operator`.
    #[schema(example = "access_token")]
    pub credential: String,
    /// Path of what it was done to.
    #[schema(example = "/v1/api-keys/4fTq0ZxkW9bYpR2c")]
    pub target: String,
    pub request_id: Option<String>,
    #[schema(value_type = Option<String>, example = "203.0.113.5")]
    pub address: Option<IpAddr>,
    /// What else is worth knowing.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// `hash` of the entry before; of the first one 32 zero bytes.
    #[schema(value_type = String)]
    pub previous: B256,
    /// SHA-256 of the RFC 8785 form of all other members.
    #[schema(value_type = String)]
    pub hash: B256,
}

/// The newest entry of a chain; of an empty one `seq` is 0 and `hash` 32 zero bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Head {
    pub seq: i64,
    #[schema(value_type = String, example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    pub hash: B256,
}

/// An entry as it is stored: its canonical text, and the text's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub text: String,
    pub head: Head,
}

/// The link that an entry becomes after `head`. The entry is one that [`AuditEntry`] wrote.
#[must_use]
pub fn link(tenant: &TenantId, mut entry: Map<String, Value>, head: Head) -> Link {
    let seq = head.seq + 1;
    entry.insert("tenant".to_owned(), tenant.to_string().into());
    entry.insert("seq".to_owned(), seq.into());
    entry.insert("previous".to_owned(), head.hash.to_string().into());
    let text = canonical::text(&Value::Object(entry));
    let hash = B256::from_slice(&Sha256::digest(&text));
    Link { text, head: Head { seq, hash } }
}

/// What is wrong with a chain, where it shows first.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Broken {
    #[error("what should be entry {expected} is no entry of an audit log")]
    NoEntry { expected: i64 },
    #[error("entry {seq} is of tenant {found}, not of {expected}")]
    OtherTenant { seq: i64, expected: String, found: String },
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Missing { expected: i64, found: i64 },
    #[error("entry {seq} was changed: its hash is not that of its content")]
    Changed { seq: i64 },
    #[error("entry {seq} does not follow the one before: it names another hash")]
    Unlinked { seq: i64 },
    #[error("the end is missing: the newest entry is {expected}, and the chain ends with {found}")]
    CutOff { expected: i64, found: i64 },
    #[error("entry {seq} is not the one that was known: its hash is another")]
    Rewritten { seq: i64 },
}

/// Follows a chain from its beginning. Entries are taken as they come, with members that this code does not know too.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    tenant: Option<String>,
    head: Head,
    known: Vec<Head>,
}

impl Walk {
    /// A walk that must pass these entries: heads that somebody kept.
    #[must_use]
    pub fn past(known: Vec<Head>) -> Self {
        Self { known, ..Self::default() }
    }

    /// The last entry so far.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// # Errors
    /// What is wrong with the entry, or before it.
    pub fn step(&mut self, entry: &Value) -> Result<(), Broken> {
        let expected = self.head.seq + 1;
        let Some((seq, tenant, previous, hash)) = parts(entry) else { return Err(Broken::NoEntry { expected }) };
        if seq != expected {
            return Err(Broken::Missing { expected, found: seq });
        }
        let of = self.tenant.get_or_insert_with(|| tenant.to_owned());
        if of != tenant {
            return Err(Broken::OtherTenant { seq, expected: of.clone(), found: tenant.to_owned() });
        }
        if hash != hash_of(entry) {
            return Err(Broken::Changed { seq });
        }
        if previous != self.head.hash {
            return Err(Broken::Unlinked { seq });
        }
        if self.known.iter().any(|known| known.seq == seq && known.hash != hash) {
            return Err(Broken::Rewritten { seq });
        }
        self.head = Head { seq, hash };
        Ok(())
    }

    /// Whether the chain ends where its head says, and passes what was known.
    ///
    /// # Errors
    /// [`Broken::CutOff`], [`Broken::Rewritten`].
    pub fn finish(self, head: Head) -> Result<Head, Broken> {
        let newest = self.known.iter().chain([&head]).map(|known| known.seq).max().unwrap_or_default();
        if newest > self.head.seq {
            return Err(Broken::CutOff { expected: newest, found: self.head.seq });
        }
        // An entry more than the head was told came meanwhile.
        if head.seq == self.head.seq && head.hash != self.head.hash {
            return Err(Broken::Rewritten { seq: head.seq });
        }
        Ok(self.head)
    }
}

fn parts(entry: &Value) -> Option<(i64, &str, B256, B256)> {
    let hash = |name: &str| entry.get(name)?.as_str()?.parse().ok();
    Some((entry.get("seq")?.as_i64()?, entry.get("tenant")?.as_str()?, hash("previous")?, hash("hash")?))
}

/// SHA-256 of the RFC 8785 form of all members but `hash`.
fn hash_of(entry: &Value) -> B256 {
    let mut entry = entry.clone();
    if let Some(members) = entry.as_object_mut() {
        members.remove("hash");
    }
    B256::from_slice(&Sha256::digest(canonical::text(&entry)))
}

#[cfg(test)]
mod tests;
