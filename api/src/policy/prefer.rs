//! `Prefer: wait=N` (RFC 7240 section 4.3): the client would rather wait for the outcome than poll.

use std::time::Duration;

use axum::http::HeaderMap;

/// Longest wait, in seconds; a client that wants more gets this much.
pub const MAX_WAIT_SECONDS: u64 = 60;

const HEADER: &str = "prefer";

/// How long the client is willing to wait. A preference that cannot be understood is ignored, as the RFC has it.
pub fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split(',')).find_map(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse::<u64>().ok()).flatten()
    })?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), value.parse().unwrap())]);
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(of("wait=10"), Some(10));
        assert_eq!(of("respond-async, Wait = \"7\"; foo"), Some(7));
        assert_eq!(of("wait=600"), Some(MAX_WAIT_SECONDS));
        for ignored in ["wait=0", "wait=-1", "wait=1.5", "wait=soon", "wait", "return=minimal", ""] {
            assert_eq!(of(ignored), None, "{ignored}");
        }
    }
}
