//! How a subscription stands. Lago tells of one in the state that it is asked for, and else says that there is none.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::query::Query;
use crate::{ExternalId, LagoClient, LagoError};

/// How the subscription under an id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    Active,
    /// None is active, and one is to begin.
    Pending,
    /// There was one, and none follows: when the last one ended.
    Ended(Option<DateTime<Utc>>),
    /// Lago knows none under this id, not even an ended one.
    Unknown,
}

impl LagoClient {
    /// How the subscription under this id stands.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn subscription_state(&self, id: &ExternalId) -> Result<SubscriptionState, LagoError> {
        let path = ["subscriptions", id.as_str()];
        let (active, pending) = (("active", SubscriptionState::Active), ("pending", SubscriptionState::Pending));
        // Asked twice: between the two calls the one that was to begin may have begun, and would be in neither answer.
        for (status, state) in [active, pending, active] {
            if self.find_with::<IgnoredAny>(&path, &Query::Subscription { status }).await?.is_some() {
                return Ok(state);
            }
        }
        // Of several Lago tells the one that ended last.
        let ended: Option<Answer> = self.find_with(&path, &Query::Subscription { status: "terminated" }).await?;
        let state = |ended: Answer| SubscriptionState::Ended(ended.subscription.terminated_at);
        Ok(ended.map_or(SubscriptionState::Unknown, state))
    }

    /// Whether Lago had a subscription under this id, and has none any more: neither an active one nor one that is to begin.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn subscription_has_ended(&self, id: &ExternalId) -> Result<bool, LagoError> {
        Ok(matches!(self.subscription_state(id).await?, SubscriptionState::Ended(_)))
    }
}

/// That a subscription was ended, where, and when.
#[must_use]
pub fn ended_in(system: &str, at: Option<DateTime<Utc>>) -> String {
    let at = at.map_or_else(String::new, |at| format!(" at {}", at.format("%Y-%m-%d %H:%M:%SZ")));
    format!("it was ended in {system}{at}")
}

#[derive(Deserialize)]
struct Answer {
    subscription: Ended,
}

#[derive(Deserialize)]
struct Ended {
    terminated_at: Option<DateTime<Utc>>,
}
