//! Times as people type them: `90`, `90s`, `1h30m`, `2d`, or a moment in RFC 3339.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Reads a duration: parts of a whole number and s, m, h or d, largest first; a bare number is seconds.
///
/// # Errors
/// A sentence about what is accepted.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text:?} is not a duration such as 90s, 10m, 1h30m or 2d");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    let mut last_unit = u64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: u64 = rest[..digits].parse().map_err(|_| fault())?;
        let mut letters = rest[digits..].chars();
        let unit = match letters.next() {
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(fault()),
        };
        if unit >= last_unit {
            return Err(fault());
        }
        last_unit = unit;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(fault)?;
        rest = letters.as_str();
    }
    if last_unit == u64::MAX { Err(fault()) } else { Ok(Duration::from_secs(total)) }
}

/// A point in time, absolute or relative to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(DateTime<Utc>),
    Away(TimeDelta),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.with_timezone(&Utc)));
        }
        let fault = || format!("{text:?} is neither a duration such as 10m nor a time such as 2026-01-31T12:00:00Z");
        let away = duration(text).map_err(|_| fault())?;
        // A century away is a slip of the finger.
        let away = TimeDelta::from_std(away).ok().filter(|away| away.num_days() < 36_500).ok_or_else(fault)?;
        Ok(Self::Away(away))
    }
}

impl Moment {
    /// The time, or so long after now.
    #[must_use]
    pub fn after(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Away(away) => now + away,
        }
    }

    /// The time, or so long before now.
    #[must_use]
    pub fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Away(away) => now - away,
        }
    }
}

/// A span as people say it: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(super) fn spoken(span: TimeDelta) -> String {
    let ms = span.num_milliseconds().max(0);
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5_400), ("2d", 172_800), ("1d1s", 86_401), ("0s", 0)]
        {
            assert_eq!(duration(text).map(|time| time.as_secs()), Ok(seconds), "{text}");
        }
        for bad in ["", "m", "10x", "10 m", "-5s", "1.5h", "30m1h", "5m5m", "1h30", "99999999999999999999d", "é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_times_or_distances() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Moment>().map(|moment| (moment.after(now), moment.before(now)));
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(at("10m").unwrap(), (time("2026-01-01T00:10:00Z"), time("2025-12-31T23:50:00Z")));
        let fixed = time("2026-02-01T10:00:00Z");
        assert_eq!(at("2026-02-01T12:00:00+02:00").unwrap(), (fixed, fixed));
        for bad in ["tomorrow", "", "2026-02-01", "99999999d"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_are_spoken() {
        let say = |ms| spoken(TimeDelta::milliseconds(ms));
        assert_eq!([-5, 350, 4_250].map(say), ["0 ms", "350 ms", "4.2 s"]);
        assert_eq!([185_000, 7_800_000, 273_600_000].map(say), ["3 min 5 s", "2 h 10 min", "3 d 4 h"]);
    }
}
