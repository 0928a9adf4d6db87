//! Usage events: a ledger row in the shape that Lago takes, and the same thing read back.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::query::Query;
use crate::{Decimal, ExternalId, LagoClient, LagoError, Metric};

/// One ledger row on its way to Lago. All of it is frozen before the first send: a repeat must be the same event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEvent {
    /// The ledger row's id, `{job}:{metric}:{segment}`; Lago takes each id once per subscription.
    pub transaction_id: String,
    /// The tenant's subscription, which bears the tenant's id.
    pub external_subscription_id: ExternalId,
    /// What is metered.
    pub code: Metric,
    /// When it is billed, in Unix seconds.
    pub timestamp: i64,
    /// How many units; negative in a correction.
    pub value: Decimal,
    /// Units of gas that a confirmation cost: for people. Nothing is billed by it.
    pub gas: Option<Decimal>,
}

impl UsageEvent {
    pub(crate) fn to_wire(&self) -> WireEvent<'_> {
        WireEvent {
            transaction_id: &self.transaction_id,
            external_subscription_id: self.external_subscription_id.as_str(),
            code: self.code.as_str(),
            timestamp: self.timestamp,
            properties: WireProperties { value: &self.value, gas: self.gas.as_ref() },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct WireEvent<'a> {
    transaction_id: &'a str,
    external_subscription_id: &'a str,
    code: &'static str,
    timestamp: i64,
    properties: WireProperties<'a>,
}

/// The first field is named as [`crate::FIELD`] says, and is the only one that Lago sums.
#[derive(Serialize)]
struct WireProperties<'a> {
    value: &'a Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<&'a Decimal>,
}

/// An event as Lago has recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedEvent {
    pub transaction_id: String,
    pub external_subscription_id: Option<String>,
    /// The metric's code; Lago records codes that it does not know, too.
    pub code: String,
    pub timestamp: DateTime<Utc>,
    /// Units, when the event carries them as we send them.
    pub value: Option<Decimal>,
    /// When Lago took it.
    pub received_at: DateTime<Utc>,
}

impl RecordedEvent {
    /// Whether this subscription is billed for it: Lago finds an event by its id alone, and takes an id once for each
    /// subscription.
    #[must_use]
    pub fn is_of(&self, subscription: &str) -> bool {
        self.external_subscription_id.as_deref() == Some(subscription)
    }
}

/// Events in one page of a list; Lago gives no more.
const EVENTS_A_PAGE: u32 = 100;

#[derive(Deserialize)]
struct EventPage {
    events: Vec<EventBody>,
    meta: PageMeta,
}

/// Where a list goes on.
#[derive(Deserialize)]
pub(crate) struct PageMeta {
    pub(crate) next_page: Option<u32>,
}

#[derive(Deserialize)]
struct EventAnswer {
    event: EventBody,
}

#[derive(Deserialize)]
struct EventBody {
    transaction_id: String,
    external_subscription_id: Option<String>,
    code: String,
    timestamp: DateTime<Utc>,
    properties: Option<EventProperties>,
    created_at: DateTime<Utc>,
}

impl From<EventBody> for RecordedEvent {
    fn from(event: EventBody) -> Self {
        Self {
            transaction_id: event.transaction_id,
            external_subscription_id: event.external_subscription_id,
            code: event.code,
            timestamp: event.timestamp,
            value: event.properties.and_then(EventProperties::decimal),
            received_at: event.created_at,
        }
    }
}

#[derive(Deserialize)]
struct EventProperties {
    value: Option<serde_json::Value>,
}

impl EventProperties {
    fn decimal(self) -> Option<Decimal> {
        match self.value? {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }
}

impl LagoClient {
    /// The event that Lago holds under a transaction id, or `None` when it has none.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn get_event(&self, transaction_id: &str) -> Result<Option<RecordedEvent>, LagoError> {
        let found: Option<EventAnswer> = self.find(&["events", transaction_id]).await?;
        Ok(found.map(|answer| answer.event.into()))
    }

    /// All events of a subscription from a moment on and before another one.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn events(
        &self,
        subscription: &ExternalId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<RecordedEvent>, LagoError> {
        let mut events: BTreeMap<String, RecordedEvent> = BTreeMap::new();
        let mut page = 1;
        loop {
            let query = Query::Events {
                external_subscription_id: subscription.as_str(),
                timestamp_from: from.to_rfc3339_opts(SecondsFormat::Millis, true),
                timestamp_to: until.to_rfc3339_opts(SecondsFormat::Millis, true),
                page,
                per_page: EVENTS_A_PAGE,
            };
            let found: Option<EventPage> = self.find_with(&["events"], &query).await?;
            let found = found.ok_or_else(|| LagoError::Unexpected("there is no list of events".to_owned()))?;
            // Lago's end of a span belongs to it; and what arrives meanwhile moves others to the next page.
            let within = found.events.into_iter().map(RecordedEvent::from).filter(|event| event.timestamp < until);
            events.extend(within.map(|event| (event.transaction_id.clone(), event)));
            match found.meta.next_page {
                Some(next) if next > page => page = next,
                _ => return Ok(events.into_values().collect()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(code: Metric, value: &str, gas: Option<i64>) -> UsageEvent {
        UsageEvent {
            transaction_id: format!("job:{}:0", code.as_str()),
            external_subscription_id: ExternalId::parse("acme").unwrap(),
            code,
            timestamp: 1_790_000_000,
            value: value.parse().unwrap(),
            gas: gas.map(Into::into),
        }
    }

    #[test]
    fn units_travel_as_text_under_the_field_that_lago_sums() {
        let wire = serde_json::to_value(event(Metric::ComputeUnits, "0.1", None).to_wire()).unwrap();
        assert_eq!(wire["properties"], json!({ (crate::FIELD): "0.1" }), "what has no gas says nothing of it");
        assert_eq!(wire["timestamp"], 1_790_000_000);
        assert_eq!(wire["code"], "compute_units");
    }

    #[test]
    fn the_gas_of_a_confirmation_stands_beside_its_units() {
        let wire = serde_json::to_value(event(Metric::ChainConfirmations, "1", Some(672)).to_wire()).unwrap();
        assert_eq!(wire["properties"], json!({ (crate::FIELD): "1", "gas": "672" }));
    }
}
