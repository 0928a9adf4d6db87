//! What an answer tells of the rates: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), and the
//! older `X-RateLimit-*` of the rate that is nearest to its end.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};

use super::{Seen, Verdict};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Adds them.
pub(in crate::policy) fn write(verdict: &Verdict, now: DateTime<Utc>, headers: &mut HeaderMap) {
    let list = |item: fn(&Seen) -> String| verdict.seen.iter().map(item).collect::<Vec<_>>().join(", ");
    let policy = list(|Seen { share, .. }| {
        format!("\"{}\";q={};w={}", share.rate.name, share.rate.quota, share.rate.window.as_secs())
    });
    let state = list(|seen| format!("\"{}\";r={};t={}", seen.share.rate.name, seen.left, whole_seconds(seen.full_in)));
    let mut add = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    add(POLICY, policy);
    add(STATE, state);
    if let Some(nearest) = verdict.seen.iter().min_by_key(|seen| seen.left) {
        add(LIMIT, nearest.share.rate.quota.to_string());
        add(REMAINING, nearest.left.to_string());
        let reset = now.timestamp().saturating_add_unsigned(whole_seconds(nearest.full_in));
        add(RESET, reset.to_string());
    }
}

/// Whole seconds that are long enough: who waits for them has waited for the time.
pub(in crate::policy) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Rate;
    use super::*;

    #[test]
    fn they_are_structured_fields_of_the_draft() {
        let minute = Rate { name: "minute", quota: 100, window: Duration::from_secs(60), burst: 20 };
        let hour = Rate { name: "hour", quota: 10_000, window: Duration::from_secs(3600), burst: 10_000 };
        let seen = vec![
            Seen { share: minute.share(3), left: 4, full_in: Duration::from_millis(5_400) },
            Seen { share: hour.share(3), left: 3_000, full_in: Duration::from_secs(40) },
        ];
        let now = DateTime::from_timestamp(1_700_000_000, 900_000_000).expect("a time");
        let mut headers = HeaderMap::new();
        write(&Verdict { wait: None, seen }, now, &mut headers);
        let of = |name: &str| headers[name].to_str().expect("text");
        assert_eq!(of("ratelimit-policy"), r#""minute";q=100;w=60, "hour";q=10000;w=3600"#);
        assert_eq!(of("ratelimit"), r#""minute";r=4;t=6, "hour";r=3000;t=40"#);
        assert_eq!((of("x-ratelimit-limit"), of("x-ratelimit-remaining")), ("100", "4"));
        assert_eq!(of("x-ratelimit-reset"), "1700000006");
    }

    #[test]
    fn a_part_of_a_second_is_a_second() {
        let seconds = |ms| whole_seconds(Duration::from_millis(ms));
        assert_eq!([seconds(0), seconds(1), seconds(1000), seconds(1001)], [0, 1, 1, 2]);
    }
}
