//! Months, as they are billed.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use store::usage::periods::Span;

/// A calendar month in UTC, which is a billing period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(NaiveDate);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(moment: DateTime<Utc>) -> Self {
        let day = moment.date_naive();
        Self(day.with_day(1).unwrap_or(day))
    }

    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.checked_sub_months(Months::new(1)).unwrap_or(self.0))
    }

    pub(super) fn span(self) -> Span {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        Span { from: midnight(self.0), until: midnight(next) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
        day.map(Self).ok_or_else(|| format!("{text:?} is no month: YYYY-MM"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_calendar_month_of_utc() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.span().until, "2027-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(Month::of("2026-12-31T23:59:59.9Z".parse().unwrap()), month);
        assert_eq!("2027-01".parse::<Month>().unwrap().before(), month);
        assert_eq!(month.to_string(), "2026-12");
        assert!(["", "2026", "2026-13", "2026-1", "26-12-01"].iter().all(|text| text.parse::<Month>().is_err()));
    }
}
