//! Events by their times: a page of hundreds of thousands is found without looking at the others.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::records::Event;

/// Some of the book's events, oldest first.
#[derive(Debug, Default)]
pub(super) struct Timeline(Vec<Moment>);

/// By what lists are ordered, and the event's place in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    timestamp: DateTime<Utc>,
    id: Uuid,
    pub place: usize,
}

impl Moment {
    pub(super) fn of(event: &Event, place: usize) -> Self {
        Self { timestamp: event.timestamp, id: event.id, place }
    }
}

impl FromIterator<Moment> for Timeline {
    fn from_iter<T: IntoIterator<Item = Moment>>(moments: T) -> Self {
        let mut moments: Vec<Moment> = moments.into_iter().collect();
        moments.sort_unstable();
        Self(moments)
    }
}

impl Timeline {
    /// Cheap for what is newer than the rest, as nearly all is.
    pub(super) fn add(&mut self, event: &Event, place: usize) {
        let moment = Moment::of(event, place);
        let at = self.0.partition_point(|known| *known < moment);
        self.0.insert(at, moment);
    }

    /// From the first time to the last, both included where they are given.
    pub(super) fn between(&self, first: Option<DateTime<Utc>>, last: Option<DateTime<Utc>>) -> &[Moment] {
        let begin = first.map_or(0, |first| self.0.partition_point(|moment| moment.timestamp < first));
        let end = last.map_or(self.0.len(), |last| self.0.partition_point(|moment| moment.timestamp <= last));
        self.0.get(begin..end).unwrap_or_default()
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(usize) -> bool) {
        self.0.retain(|moment| is_kept(moment.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// With an event at each of these seconds, which arrived in this order.
    fn line(seconds: &[i64]) -> Timeline {
        let mut line = Timeline::default();
        for (place, at) in seconds.iter().enumerate() {
            let event = Event {
                id: Uuid::from_u128(place as u128),
                transaction_id: place.to_string(),
                external_subscription_id: None,
                code: "compute_units".to_owned(),
                timestamp: second(*at),
                properties: serde_json::Map::default(),
                created_at: second(*at),
                is_gone: false,
            };
            line.add(&event, place);
        }
        line
    }

    fn places(moments: &[Moment]) -> Vec<usize> {
        moments.iter().map(|moment| moment.place).collect()
    }

    #[test]
    fn whatever_arrives_when_is_in_the_order_of_its_time_and_then_of_its_id() {
        let line = line(&[5, 3, 9, 3, 7]);
        assert_eq!(places(line.between(None, None)), [1, 3, 0, 4, 2]);
        let at_once: Timeline = line.0.iter().rev().copied().collect();
        assert_eq!(places(at_once.between(None, None)), [1, 3, 0, 4, 2]);
    }

    #[test]
    fn both_ends_of_a_span_belong_to_it() {
        let line = line(&[5, 3, 9, 3, 7]);
        let between = |first: i64, last: i64| places(line.between(Some(second(first)), Some(second(last))));
        assert_eq!(between(3, 5), [1, 3, 0]);
        assert_eq!(between(4, 6), [0]);
        assert_eq!(between(8, 8), [0; 0]);
        assert_eq!(between(9, 3), [0; 0], "a span that ends before it begins");
        assert_eq!(places(line.between(Some(second(6)), None)), [4, 2]);
        assert_eq!(places(line.between(None, Some(second(3)))), [1, 3]);
    }

    #[test]
    fn what_is_taken_out_is_there_no_more() {
        let mut line = line(&[5, 3, 9]);
        line.retain(|place| place != 0);
        assert_eq!(places(line.between(None, None)), [1, 2]);
    }
}
