//! `Notice`: something that one endpoint is to hear, and what has become of telling it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Times that a notice is sent, at most.
const MOST_TRIES: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::standin) struct Notice {
    /// What the receiver knows it by: Lago's unique key.
    pub id: Uuid,
    pub endpoint_id: Uuid,
    /// Lago's `webhook_type`.
    pub kind: String,
    pub about: Subject,
    pub created_at: DateTime<Utc>,
    pub tries: u32,
    pub next_at: DateTime<Utc>,
    /// What was sent and is sent again, byte for byte; made when it is sent first.
    pub body: Option<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    Told,
    GivenUp,
}

/// What a notice is about, by the names under which the book has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", content = "which", rename_all = "snake_case")]
pub(in crate::standin) enum Subject {
    BillableMetric(String),
    Plan(String),
    Customer(String),
    Subscription(Uuid),
    Invoice(Uuid),
    Wallet(Uuid),
    WalletTransaction(Uuid),
    /// Transaction ids of events that count nowhere.
    EventsErrors {
        invalid_code: Vec<String>,
        missing_aggregation_property: Vec<String>,
    },
}

impl Subject {
    /// Lago's `object_type`, which is also the member that holds the object.
    pub(in crate::standin) fn object_type(&self) -> &'static str {
        match self {
            Self::BillableMetric(_) => "billable_metric",
            Self::Plan(_) => "plan",
            Self::Customer(_) => "customer",
            Self::Subscription(_) => "subscription",
            Self::Invoice(_) => "invoice",
            Self::Wallet(_) => "wallet",
            Self::WalletTransaction(_) => "wallet_transaction",
            Self::EventsErrors { .. } => "events_errors",
        }
    }
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Taken,
    Refused,
    /// It can never be told: the endpoint or what it is about is no more.
    Pointless,
}

impl Notice {
    pub(super) fn new(endpoint_id: Uuid, kind: &str, about: Subject, now: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::now_v7(),
            endpoint_id,
            kind: kind.to_owned(),
            about,
            created_at: now,
            tries: 0,
            next_at: now,
            body: None,
            state: State::Open,
        }
    }

    /// Whether it is still to be sent.
    pub(in crate::standin) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The notice after an attempt: told, given up, or to be sent again after Lago's pause (the fourth power of the tries,
    /// and two seconds).
    pub(super) fn after(self, outcome: Outcome, now: DateTime<Utc>) -> Self {
        let tries = self.tries + 1;
        let next_at = now + TimeDelta::seconds(i64::from(tries.saturating_pow(4)) + 2);
        match outcome {
            Outcome::Taken => Self { tries, body: None, state: State::Told, ..self },
            Outcome::Refused if tries < MOST_TRIES => Self { tries, next_at, ..self },
            Outcome::Refused | Outcome::Pointless => Self { tries, body: None, state: State::GivenUp, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_sent_three_times_at_most_with_growing_pauses() {
        let now: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().unwrap();
        let notice = Notice::new(Uuid::nil(), "wallet.created", Subject::Wallet(Uuid::nil()), now);
        let again = notice.clone().after(Outcome::Refused, now);
        assert_eq!((again.is_open(), again.next_at - now), (true, TimeDelta::seconds(3)));
        let again = again.after(Outcome::Refused, now);
        assert_eq!((again.is_open(), again.next_at - now), (true, TimeDelta::seconds(18)));
        let last = again.clone().after(Outcome::Refused, now);
        assert_eq!((last.is_open(), last.tries), (false, 3));
        assert!(!again.after(Outcome::Taken, now).is_open());
        assert!(!notice.after(Outcome::Pointless, now).is_open());
    }
}
