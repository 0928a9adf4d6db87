//! Delivery of usage events: batches, what a 422 says about single events, and what became of each.
//!
//! Lago takes a batch whole or not at all. A refusal names indices: duplicates are delivered already, other bad
//! events go to the dead letters, and the rest is sent again until nothing is left.

use std::collections::{BTreeMap, HashMap};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::event::WireEvent;
use crate::{LagoClient, LagoError, UsageEvent};

/// Events in one call; Lago refuses more.
pub const LARGEST_BATCH: usize = 100;

const UNPROCESSABLE: u16 = 422;
const DUPLICATE: &str = "value_already_exist";

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Lago has it, from this call or an earlier one.
    Delivered,
    /// Lago will never take it, or would never bill it.
    DeadLetter {
        /// Why, for the people who look at dead letters.
        reason: String,
    },
    /// The subscription does not exist (yet) or has ended; the event was not sent. Lago would have swallowed it.
    NoSubscription,
    /// The subscription began after it; the event was not sent. Lago would have taken it and billed it never.
    BeforeStart,
}

impl LagoClient {
    /// Sends events and says, in their order, what became of each.
    ///
    /// # Errors
    /// Any [`LagoError`]. Some events may have arrived by then: send all of them again, repeats are harmless.
    pub async fn send(&self, events: &[UsageEvent]) -> Result<Vec<Delivery>, LagoError> {
        let first_of = first_occurrences(events);
        let mut outcomes: BTreeMap<usize, Delivery> = BTreeMap::new();
        let mut subscriptions = HashMap::new();
        let mut sendable = Vec::new();
        for (index, event) in events.iter().enumerate().filter(|(index, _)| first_of[*index] == *index) {
            let id = &event.external_subscription_id;
            if !subscriptions.contains_key(id) {
                subscriptions.insert(id, self.subscription(id).await?);
            }
            match subscriptions.get(id).and_then(Option::as_ref) {
                None => drop(outcomes.insert(index, Delivery::NoSubscription)),
                Some(found) if !found.bills(event.timestamp) => drop(outcomes.insert(index, Delivery::BeforeStart)),
                Some(_) => sendable.push(index),
            }
        }
        for batch in sendable.chunks(LARGEST_BATCH) {
            self.deliver(events, batch.to_vec(), &mut outcomes).await?;
        }
        first_of
            .iter()
            .map(|first| outcomes.get(first).cloned())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| LagoError::Unexpected("an event was left without an outcome".to_owned()))
    }

    /// Every round shrinks or halves a batch, so that this ends.
    async fn deliver(
        &self,
        events: &[UsageEvent],
        batch: Vec<usize>,
        outcomes: &mut BTreeMap<usize, Delivery>,
    ) -> Result<(), LagoError> {
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            if batch.is_empty() {
                continue;
            }
            let (status, body) = match self.post_batch(events, &batch).await {
                Ok(()) => {
                    outcomes.extend(batch.iter().map(|index| (*index, Delivery::Delivered)));
                    continue;
                }
                Err(LagoError::Rejected { status, body }) if blames_the_events(status) => (status, body),
                Err(error) => return Err(error),
            };
            let refused = named_events(status, &body, batch.len());
            if refused.is_empty() {
                match batch.as_slice() {
                    [single] => {
                        drop(outcomes.insert(*single, Delivery::DeadLetter { reason: format!("{status}: {body}") }))
                    }
                    several => {
                        let (left, right) = several.split_at(several.len() / 2);
                        waiting.extend([left.to_vec(), right.to_vec()]);
                    }
                }
                continue;
            }
            let mut rest = Vec::with_capacity(batch.len());
            for (position, index) in batch.into_iter().enumerate() {
                match refused.get(&position) {
                    Some(outcome) => drop(outcomes.insert(index, outcome.clone())),
                    None => rest.push(index),
                }
            }
            waiting.push(rest);
        }
        Ok(())
    }

    async fn post_batch(&self, events: &[UsageEvent], batch: &[usize]) -> Result<(), LagoError> {
        #[derive(Serialize)]
        struct Body<'a> {
            events: Vec<WireEvent<'a>>,
        }
        let body = Body { events: batch.iter().map(|index| events[*index].to_wire()).collect() };
        self.post::<_, IgnoredAny>(&["events", "batch"], &body).await.map(drop)
    }
}

/// For each event the index of its first copy: a copy in one batch would be named duplicate though nothing was kept.
fn first_occurrences(events: &[UsageEvent]) -> Vec<usize> {
    let mut seen = HashMap::new();
    let key = |event: &UsageEvent| (event.external_subscription_id.clone(), event.transaction_id.clone());
    events.iter().enumerate().map(|(index, event)| *seen.entry(key(event)).or_insert(index)).collect()
}

/// Bad request, too large, unprocessable: the events are at fault. Other refusals concern the address or the key.
fn blames_the_events(status: u16) -> bool {
    matches!(status, 400 | 413 | UNPROCESSABLE)
}

/// The `error_details` of a 422, by position in the batch.
fn named_events(status: u16, body: &str, batch: usize) -> HashMap<usize, Delivery> {
    #[derive(Deserialize)]
    struct Answer {
        error_details: BTreeMap<String, serde_json::Value>,
    }
    if status != UNPROCESSABLE {
        return HashMap::new();
    }
    let Ok(answer) = serde_json::from_str::<Answer>(body) else {
        return HashMap::new();
    };
    // A batch of one may be answered like a single event: fields at the top instead of an index.
    if batch == 1 && answer.error_details.get("transaction_id").is_some_and(names_a_duplicate) {
        return HashMap::from([(0, Delivery::Delivered)]);
    }
    answer
        .error_details
        .into_iter()
        .filter_map(|(index, details)| {
            let position = index.parse().ok().filter(|position| *position < batch)?;
            let duplicate = details.get("transaction_id").is_some_and(names_a_duplicate);
            let outcome =
                if duplicate { Delivery::Delivered } else { Delivery::DeadLetter { reason: details.to_string() } };
            Some((position, outcome))
        })
        .collect()
}

fn names_a_duplicate(errors: &serde_json::Value) -> bool {
    errors.as_array().is_some_and(|list| list.iter().any(|error| error == DUPLICATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_refusal_is_read_by_index() {
        let body = r#"{"status":422,"code":"validation_errors","error_details":{
            "1":{"transaction_id":["value_already_exist"]},"2":{"timestamp":["invalid_format"]},"9":{"code":["x"]}}}"#;
        let refused = named_events(422, body, 3);
        assert_eq!(refused.len(), 2);
        assert_eq!(refused[&1], Delivery::Delivered);
        assert_eq!(refused[&2], Delivery::DeadLetter { reason: r#"{"timestamp":["invalid_format"]}"#.to_owned() });
    }

    #[test]
    fn a_single_duplicate_without_index_is_delivered() {
        let body = r#"{"error_details":{"transaction_id":["value_already_exist"]}}"#;
        assert_eq!(named_events(422, body, 1)[&0], Delivery::Delivered);
        assert!(named_events(422, body, 2).is_empty());
    }

    #[test]
    fn an_unreadable_refusal_names_nobody() {
        assert!(named_events(422, "<html>", 3).is_empty());
        assert!(named_events(400, r#"{"error_details":{"0":{}}}"#, 3).is_empty());
    }
}
