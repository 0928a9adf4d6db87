//! The time that a question about usage is about, and where a page of its rows ended.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use store::limits::month_of;
use store::usage::{UsageFilter, UsagePlace};

use crate::policy::cursor::{Place, text_of, time_of};

/// Days that one question is about at most: all rows of them are added up.
const MAX_DAYS: i64 = 366;

/// What a question is about where it does not say since when: the month in which it ends, and all of a job, whose rows are
/// few and found by it. One of its two times is bounded so: that of billing where the question begins with it, or ends with
/// it and begins with none; else that of use. Behind a cursor it is about what it was on its first page, whichever month it
/// is by now.
///
/// # Errors
/// Which parameter is wrong, and what is.
pub(super) fn settled(
    asked: &UsageFilter,
    after: Option<&PageEnd>,
    now: DateTime<Utc>,
) -> Result<UsageFilter, (&'static str, String)> {
    if asked.job.is_some() {
        return Ok(asked.clone());
    }
    let is_by_billing = asked.billed_from.is_some() || (asked.billed_until.is_some() && asked.from.is_none());
    let (name, since, until, its_end) = if is_by_billing {
        ("billed_from", asked.billed_from, asked.billed_until, "billed_until")
    } else {
        ("from", asked.from, asked.until, "until")
    };
    let end = until.map_or(now, |until| until.min(now));
    let since = since.or(after.and_then(|after| after.since)).unwrap_or_else(|| month_ended_by(end));
    // Behind a cursor nothing is added up.
    if after.is_none() && end - since > TimeDelta::days(MAX_DAYS) {
        return Err((name, format!("must be at most {MAX_DAYS} days before `{its_end}`, or before now")));
    }
    let (from, billed_from) = if is_by_billing { (asked.from, Some(since)) } else { (Some(since), None) };
    Ok(UsageFilter { from, billed_from, ..asked.clone() })
}

/// Since when a settled question is that does not say so itself.
pub(super) fn taken(asked: &UsageFilter, settled: &UsageFilter) -> Option<DateTime<Utc>> {
    let from = settled.from.filter(|_| asked.from.is_none());
    from.or(settled.billed_from.filter(|_| asked.billed_from.is_none()))
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
        let (since, at) = (self.since.map_or(UNSAID, micros), micros(self.place.at));
        [since.as_slice(), at.as_slice(), self.place.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (since, bytes) = bytes.split_first_chunk::<8>()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let since = if *since == UNSAID { None } else { Some(time_of(*since)?) };
        Some(Self { since, place: UsagePlace { at: time_of(*at)?, id: text_of(id)? } })
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
        let place = UsagePlace { at: at("2026-11-20T09:26:54.120001Z"), id: "acme:api_calls:é".to_owned() };
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
            let (name, reason) = settled(&asked(Some(from), until), None, now).unwrap_err();
            assert!(name == "from" && reason.contains("366 days before `until`"), "{from}: {reason}");
        }
        let of_a_job = UsageFilter { job: Some(JobId::generate()), ..asked(None, None) };
        assert_eq!(settled(&of_a_job, None, now), Ok(of_a_job));
    }

    #[test]
    fn a_question_about_billing_is_bounded_by_that_and_one_that_only_ends_with_it_by_what_it_begins_with() {
        let now = at("2026-11-22T10:00:00Z");
        let billed = |asked: UsageFilter, from: Option<&str>, until: Option<&str>| UsageFilter {
            billed_from: from.map(at),
            billed_until: until.map(at),
            ..asked
        };
        let (october, november) = (Some("2026-10-01T00:00:00Z"), Some("2026-11-01T00:00:00Z"));
        let long_ago = Some("1990-01-01T00:00:00Z");
        for asked in [
            billed(asked(None, None), october, november),
            billed(asked(None, None), october, None),
            billed(asked(None, october), october, november),
            // Used at whatever time.
            billed(asked(long_ago, None), october, None),
        ] {
            let settled = settled(&asked, None, now);
            assert_eq!(settled.as_ref(), Ok(&asked), "nothing is taken for what was not said");
            assert_eq!(taken(&asked, &settled.unwrap()), None);
        }
        let month = billed(asked(None, None), None, november);
        let told = settled(&month, None, now).unwrap();
        assert_eq!(told, billed(asked(None, None), october, november));
        assert_eq!(taken(&month, &told), october.map(at));
        let used = billed(asked(october, None), None, november);
        assert_eq!(settled(&used, None, now), Ok(used));
        for (asked, wrong) in [
            (billed(asked(None, None), long_ago, november), "billed_from"),
            (billed(asked(october, None), Some("2025-11-21T09:59:59Z"), None), "billed_from"),
            (billed(asked(long_ago, None), None, november), "from"),
        ] {
            assert_eq!(settled(&asked, None, now).unwrap_err().0, wrong, "{asked:?}");
        }
        let of_a_job = UsageFilter { job: Some(JobId::generate()), ..billed(asked(None, None), long_ago, None) };
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
        let billed = UsageFilter { billed_until: Some(later), ..asked(None, None) };
        let told = super::settled(&billed, Some(&end(Some(since))), later).unwrap();
        assert_eq!((told.from, told.billed_from), (None, Some(at(since))));
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
