//! `/events`: Lago takes what it is given, codes and subscriptions that it does not know included, but each once.

use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::{iso, iso_millis};
use crate::standin::query::Listed;
use crate::standin::records::{Event, Record, number};
use crate::{Decimal, LARGEST_BATCH};

const ROOT: &str = "event";
const ROOTS: &str = "events";
/// Far more than anybody uses of anything, and far less than what minor units of money could not tell.
const LARGEST_VALUE: u64 = 10_000_000_000_000_000;

#[derive(Deserialize)]
struct Input {
    transaction_id: Option<String>,
    external_subscription_id: Option<String>,
    code: Option<String>,
    /// Unix seconds as a number or as text; now when absent.
    timestamp: Option<Value>,
    properties: Option<Map<String, Value>>,
}

impl Input {
    /// Lago takes a value of any size, and answers no question about its subscription from then on.
    fn refuse_too_large(&self) -> Result<(), Refusal> {
        let too_large = self.properties.iter().flatten().find(|(_, value)| is_too_large(value));
        too_large.map_or(Ok(()), |(name, _)| {
            Err(Refusal::NotImplemented(format!("an event whose {name} is larger than {LARGEST_VALUE}")))
        })
    }

    /// The event, or Lago's complaints by field.
    fn event(self, now: DateTime<Utc>) -> Result<Event, Map<String, Value>> {
        let timestamp = match self.timestamp {
            None | Some(Value::Null) => Some(now),
            Some(Value::Number(number)) => moment(&number.to_string()),
            Some(Value::String(text)) => moment(&text),
            Some(_) => None,
        };
        let Some(timestamp) = timestamp else {
            return Err(complaint("timestamp", "invalid_format"));
        };
        let mut errors = Map::new();
        let transaction_id = super::metrics::required(&mut errors, "transaction_id", self.transaction_id);
        let code = super::metrics::required(&mut errors, "code", self.code);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Event {
            id: Uuid::now_v7(),
            transaction_id,
            external_subscription_id: self.external_subscription_id,
            code,
            timestamp,
            properties: self.properties.unwrap_or_default(),
            created_at: now,
            is_gone: false,
        })
    }
}

/// A number that the stand-in cannot read is too large, or too finely told, for it; text that is none is no number to Lago.
fn is_too_large(value: &Value) -> bool {
    match (number(value), value) {
        (Some(number), _) => number.minor_units(0).is_none_or(|units| units.unsigned_abs() > LARGEST_VALUE),
        (None, Value::Number(_)) => true,
        (None, Value::String(text)) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.')
        }
        (None, _) => false,
    }
}

fn complaint(field: &str, error: &str) -> Map<String, Value> {
    Map::from_iter([(field.to_owned(), json!([error]))])
}

fn moment(seconds: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(seconds.parse::<Decimal>().ok()?.minor_units(3)?)
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_too_large()?;
    keeper
        .change(move |book, now| {
            let event = input.event(now).map_err(Refusal::Invalid)?;
            if book.has_event(&event) {
                return Err(Refusal::field("transaction_id", "value_already_exist"));
            }
            let answer = json!({ ROOT: view(book, &event, now) });
            Ok((vec![Record::Event(event)], answer))
        })
        .await
}

/// All or nothing; malformed events are named first, and duplicates only once none is left.
pub(super) async fn batch(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let inputs: Vec<Input> = match rooted(&body, ROOTS) {
        // An empty or missing list is no malformed request to Lago.
        Err(Refusal::BadRequest(_))
            if serde_json::from_slice::<Value>(&body).is_ok_and(|body| body.get(ROOTS).is_none()) =>
        {
            Vec::new()
        }
        other => other?,
    };
    if inputs.is_empty() {
        return Err(Refusal::field(ROOTS, "no_events"));
    }
    if inputs.len() > LARGEST_BATCH {
        return Err(Refusal::field(ROOTS, "too_many_events"));
    }
    inputs.iter().try_for_each(Input::refuse_too_large)?;
    keeper
        .change(move |book, now| {
            let mut events: Vec<Event> = Vec::with_capacity(inputs.len());
            let mut errors = Map::new();
            for (index, input) in inputs.into_iter().enumerate() {
                match input.event(now) {
                    Ok(event) => events.push(event),
                    Err(details) => drop(errors.insert(index.to_string(), Value::Object(details))),
                }
            }
            if errors.is_empty() {
                let mut seen = std::collections::HashSet::new();
                for (index, event) in events.iter().enumerate() {
                    if book.has_event(event) || !seen.insert((&event.external_subscription_id, &event.transaction_id)) {
                        errors.insert(
                            index.to_string(),
                            Value::Object(complaint("transaction_id", "value_already_exist")),
                        );
                    }
                }
            }
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
            let answer = json!({ ROOTS: events.iter().map(|event| view(book, event, now)).collect::<Vec<_>>() });
            Ok((events.into_iter().map(Record::Event).collect(), answer))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(transaction_id): Path<String>) -> Answer {
    keeper
        .read(move |book, now| {
            let event = book.event(&transaction_id).ok_or(Refusal::NotFound(ROOT))?;
            Ok(json!({ ROOT: view(book, event, now) }))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    code: Option<String>,
    external_subscription_id: Option<String>,
    timestamp_from: Option<DateTime<Utc>>,
    timestamp_to: Option<DateTime<Utc>>,
}

/// Newest first.
pub(super) async fn list(State(keeper): State<Keeper>, Listed { query, paging }: Listed<ListQuery>) -> Answer {
    keeper
        .read(move |book, now| {
            let all;
            let line = match &query.external_subscription_id {
                Some(id) => book.timeline_of(id),
                None => {
                    all = book.timeline();
                    Some(&all)
                }
            };
            let moments = line.map(|line| line.between(query.timestamp_from, query.timestamp_to));
            let newest = moments.unwrap_or_default().iter().rev();
            let view = |moment| view(book, book.event_at(moment), now);
            Ok(match &query.code {
                None => paging.views(ROOTS, newest, view),
                Some(code) => {
                    let of_code: Vec<_> = newest.filter(|moment| book.event_at(moment).code == *code).collect();
                    paging.views(ROOTS, of_code.into_iter(), view)
                }
            })
        })
        .await
}

fn view(book: &Book, event: &Event, now: DateTime<Utc>) -> Value {
    let subscription = book.subscription_of(event, now);
    json!({
        "lago_id": event.id,
        "transaction_id": event.transaction_id,
        "lago_customer_id": subscription.map(|subscription| subscription.customer_id),
        "code": event.code,
        "timestamp": iso_millis(event.timestamp),
        "precise_total_amount_cents": null,
        "properties": event.properties,
        "lago_subscription_id": subscription.map(|subscription| subscription.id),
        "external_subscription_id": event.external_subscription_id,
        "created_at": iso(event.created_at),
    })
}
