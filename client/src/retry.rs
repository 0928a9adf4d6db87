//! How often a request is repeated, and how long the client waits before: exponential back-off, `Retry-After` first.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// When to repeat what failed for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most requests sent for one call, the first included.
    pub max_attempts: u32,
    /// Pause before the first repetition; each further one is twice as long.
    pub first_delay: Duration,
    /// Longest pause of our own choice.
    pub max_delay: Duration,
    /// Most time spent in pauses for one call. An answer whose `Retry-After` goes beyond it is returned at once.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            first_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
            budget: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Every failure is returned at once.
    #[must_use]
    pub fn none() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// The pause after the attempt with this number (from 1), or `None` when it was the last one.
    ///
    /// `jitter` is in 0..1: it takes up to half off our own pause, or adds a little to the server's, so that clients
    /// that failed together do not come back together.
    pub(crate) fn pause(
        &self,
        attempt: u32,
        already_paused: Duration,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let pause = match retry_after {
            Some(asked) => asked.saturating_add(self.first_delay.mul_f64(jitter)),
            None => {
                let doubled = self.first_delay.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
                doubled.min(self.max_delay).mul_f64(1.0 - jitter / 2.0)
            }
        };
        (already_paused.saturating_add(pause) <= self.budget).then_some(pause)
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(header).ok()?;
    Some((date.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: RetryPolicy, jitter: f64) -> Vec<u128> {
        let mut paused = Duration::ZERO;
        let mut found = Vec::new();
        while let Some(pause) = policy.pause(u32::try_from(found.len()).unwrap() + 1, paused, None, jitter) {
            paused += pause;
            found.push(pause.as_millis());
        }
        found
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy { max_delay: Duration::from_secs(2), ..RetryPolicy::default() };
        assert_eq!(pauses(policy, 0.0), [200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
        assert_eq!(pauses(policy, 1.0), [100, 200, 400, 800, 1_000, 1_000, 1_000]);
        assert_eq!(pauses(RetryPolicy::none(), 0.0), [0_u128; 0]);
    }

    #[test]
    fn the_servers_pause_is_never_shortened() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(3);
        for jitter in [0.0, 0.5, 0.999] {
            let pause = policy.pause(1, Duration::ZERO, Some(asked), jitter).unwrap();
            assert!(pause >= asked && pause < asked + policy.first_delay, "{pause:?}");
        }
    }

    #[test]
    fn nobody_waits_beyond_the_budget() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.pause(1, Duration::ZERO, Some(Duration::from_secs(3_600)), 0.0), None);
        let foolish = retry_after("18446744073709551615", DateTime::UNIX_EPOCH);
        assert_eq!(policy.pause(2, Duration::from_secs(1), foolish, 0.5), None);
        assert_eq!(policy.pause(2, Duration::from_secs(59), Some(Duration::from_secs(2)), 0.0), None);
        let endless = RetryPolicy { max_attempts: u32::MAX, ..policy };
        let total: u128 = pauses(endless, 0.0).iter().sum();
        assert!(total <= 60_000, "{total}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let read = |text| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(read("2"), Some(2));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(30));
        assert_eq!(read("Wed, 31 Dec 2025 23:59:00 GMT"), Some(0));
        for bad in ["", "-1", "soon", "1.5"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
