//! The time that a question about usage is about, and where a page of its rows ended.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use store::limits::month_of;
use store::usage::{UsageFilter, UsagePlace};

use crate::policy::cursor::{Place, text_of, time_of};

/// Days that one question is about at most: all rows of them are added up.
const MAX_DAYS: i64 = 366;

/// What a question is about where it does not say since when: the month in which it ends, and all of a job, whose rows are
/// few and found by it. Behind a cursor it is about what it was on its first page, whichever month it is by now.
///
/// # Errors
/// What is wrong with `from`.
pub(super) fn settled(asked: &UsageFilter, after: Option<&PageEnd>, now: DateTime<Utc>) -> Result<UsageFilter, String> {
    if asked.job.is_some() {
        return Ok(asked.clone());
    }
    let end = asked.until.map_or(now, |until| until.min(now));
    let since = asked.from.or(after.and_then(|after| after.since)).unwrap_or_else(|| month_ended_by(end));
    // Behind a cursor nothing is added up.
    if after.is_none() && end - since > TimeDelta::days(MAX_DAYS) {
        return Err(format!("must be at most {MAX_DAYS} days before `until`, or before now"));
    }
    Ok(UsageFilter { from: Some(since), ..asked.clone() })
}

/// The first moment (UTC) of the month that a time is in, or ends.
fn month_ended_by(end: DateTime<Utc>) -> DateTime<Utc> {
    month_of(end - TimeDelta::microseconds(1)).and_time(NaiveTime::MIN).and_utc()
}

/// Where a page ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageEnd {
    /// Since when the list's rows are, unless the question says so itself.
    pub since: Option<DateTime<Utc>>,
    pub place: UsagePlace,
}

/// No time of any row.
const UNSAID: [u8; 8] = [0xff; 8];

/// Times in microseconds, as exact as the database knows them, then the row's id.
impl Place for PageEnd {
    fn to_bytes(&self) -> Vec<u8> {
        let micros = |time: DateTime<Utc>| time.timestamp_micros().to_be_bytes();
        let (since, at) = (self.since.map_or(UNSAID, micros), micros(self.place.occurred_at));
        [since.as_slice(), at.as_slice(), self.place.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (since, bytes) = bytes.split_first_chunk::<8>()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let since = if *since == UNSAID { None } else { Some(time_of(*since)?) };
        Some(Self { since, place: UsagePlace { occurred_at: time_of(*at)?, id: text_of(id)? } })
    }
}

#[cfg(test)]
mod tests {
    use jobs::JobId;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn asked(from: Option<&str>, until: Option<&str>) -> UsageFilter {
        UsageFilter { from: from.map(at), until: until.map(at), ..UsageFilter::default() }
    }

    fn end(since: Option<&str>) -> PageEnd {
        let place = UsagePlace { occurred_at: at("2026-11-20T09:26:54.120001Z"), id: "acme:api_calls:é".to_owned() };
        PageEnd { since: since.map(at), place }
    }

    #[test]
    fn a_question_is_about_the_month_in_which_it_ends_unless_it_says_more() {
        let now = at("2026-11-22T10:00:00Z");
        for (from, until, since) in [
            (None, None, "2026-11-01T00:00:00Z"),
            (None, Some("2026-03-31T23:59:59Z"), "2026-03-01T00:00:00Z"),
            (None, Some("2026-04-01T00:00:00Z"), "2026-03-01T00:00:00Z"),
            (None, Some("2099-01-01T00:00:00Z"), "2026-11-01T00:00:00Z"),
            (Some("2026-01-02T03:04:05Z"), None, "2026-01-02T03:04:05Z"),
            (Some("2024-01-01T00:00:00Z"), Some("2025-01-01T00:00:00Z"), "2024-01-01T00:00:00Z"),
            (Some("2026-12-01T00:00:00Z"), None, "2026-12-01T00:00:00Z"),
        ] {
            let asked = asked(from, until);
            let settled = settled(&asked, None, now).unwrap();
            assert_eq!(settled, UsageFilter { from: Some(at(since)), ..asked }, "{from:?} {until:?}");
        }
        for (from, until) in [("2025-11-21T09:59:59Z", None), ("2024-01-01T00:00:00Z", Some("2025-01-01T00:00:01Z"))] {
            assert!(settled(&asked(Some(from), until), None, now).unwrap_err().contains("366 days"), "{from}");
        }
        let of_a_job = UsageFilter { job: Some(JobId::generate()), ..asked(None, None) };
        assert_eq!(settled(&of_a_job, None, now), Ok(of_a_job));
    }

    /// However late its next page is asked for.
    #[test]
    fn a_list_goes_on_as_it_began() {
        let later = at("2028-01-01T00:00:00Z");
        let settled = |asked: UsageFilter, end: &PageEnd| settled(&asked, Some(end), later).unwrap().from;
        assert_eq!(settled(asked(None, None), &end(Some("2026-11-01T00:00:00Z"))), Some(at("2026-11-01T00:00:00Z")));
        let since = "2026-01-02T00:00:00Z";
        assert_eq!(settled(asked(Some(since), None), &end(None)), Some(at(since)));
    }

    #[test]
    fn a_pages_end_is_read_as_it_was_written() {
        for end in [end(None), end(Some("2026-11-01T00:00:00Z"))] {
            let bytes = end.to_bytes();
            assert_eq!(PageEnd::from_bytes(&bytes[..15]), None);
            assert_eq!(PageEnd::from_bytes(&bytes), Some(end));
        }
    }
}
