//! What set-up found or did of one thing, for people and for scripts.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::ended_in;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Created,
    Unchanged,
    /// Only looked at: there is none, and setup would make it.
    Missing,
    /// Only looked at: these fields differ, and setup would change them.
    Differs(Vec<String>),
    /// These fields differed and are as the catalogue says now.
    Updated(Vec<String>),
    /// These fields still differ: Lago keeps them once a subscription depends on them.
    Kept(Vec<String>),
    /// Only looked at: an account that was made, and of which Lago knows no subscription. Setup would make it anew.
    Lost,
    /// An account whose subscription was ended in Lago, and when: setup makes none anew that finance has ended.
    Ended(Option<DateTime<Utc>>),
    /// It could not be made: why.
    Failed(String),
}

impl Change {
    /// Whether setup would do something.
    pub(super) fn is_to_be_made(&self) -> bool {
        matches!(self, Self::Missing | Self::Differs(_) | Self::Lost)
    }

    fn outcome(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Missing => "missing",
            Self::Differs(_) => "differs",
            Self::Updated(_) => "updated",
            Self::Kept(_) => "kept",
            Self::Lost => "lost",
            Self::Ended(_) => "ended",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => formatter.write_str("created"),
            Self::Unchanged => formatter.write_str("unchanged"),
            Self::Missing => formatter.write_str("missing: to be created"),
            Self::Differs(fields) => write!(formatter, "differs: to be updated ({})", fields.join(", ")),
            Self::Updated(fields) => write!(formatter, "updated ({})", fields.join(", ")),
            Self::Kept(fields) => write!(formatter, "kept by Lago, still different ({})", fields.join(", ")),
            Self::Lost => {
                formatter.write_str("has no active subscription: Lago knows none of it any more; to be created anew")
            }
            Self::Ended(at) => {
                let ended = ended_in("Lago", *at);
                write!(formatter, "has no active subscription: {ended}; make it anew there, or close the tenant")
            }
            Self::Failed(reason) => write!(formatter, "failed: {reason}"),
        }
    }
}

/// The outcome, and beside it what there is to say of it under its own name.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut change = serializer.serialize_map(None)?;
        change.serialize_entry("outcome", self.outcome())?;
        match self {
            Self::Differs(fields) | Self::Updated(fields) | Self::Kept(fields) => {
                change.serialize_entry("fields", fields)?;
            }
            Self::Ended(at) => change.serialize_entry("at", at)?,
            Self::Failed(reason) => change.serialize_entry("reason", reason)?,
            Self::Created | Self::Unchanged | Self::Missing | Self::Lost => {}
        }
        change.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scripts_read_the_outcome_and_what_belongs_to_it() {
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let told = [
            (Change::Unchanged, json!({ "outcome": "unchanged" })),
            (Change::Differs(vec!["rate".to_owned()]), json!({ "outcome": "differs", "fields": ["rate"] })),
            (Change::Ended(Some(at)), json!({ "outcome": "ended", "at": "2026-11-20T12:00:00Z" })),
            (Change::Ended(None), json!({ "outcome": "ended", "at": null })),
            (Change::Failed("it is away".to_owned()), json!({ "outcome": "failed", "reason": "it is away" })),
        ];
        for (change, json) in told {
            assert_eq!(serde_json::to_value(&change).unwrap(), json);
        }
    }

    #[test]
    fn people_read_since_when_an_account_has_no_subscription_and_what_to_do() {
        let ended = Change::Ended(Some("2026-11-20T12:00:00Z".parse().unwrap())).to_string();
        let told = "has no active subscription: it was ended in Lago at 2026-11-20 12:00:00Z; \
                    make it anew there, or close the tenant";
        assert_eq!(ended, told);
        assert!(Change::Ended(None).to_string().contains("ended in Lago; make it anew"));
    }
}
