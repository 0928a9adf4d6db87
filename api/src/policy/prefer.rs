//! `Prefer: wait=N` (RFC 7240 section 4.3): the client would rather wait for the outcome than poll.

use std::time::Duration;

use axum::http::HeaderMap;

/// Longest wait, in seconds; a client that wants more gets this much.
pub const MAX_WAIT_SECONDS: u64 = 60;

const HEADER: &str = "prefer";

/// How long the client is willing to wait. Of several waits the first counts, and one that cannot be understood is
/// ignored, as the RFC has it (section 2): it is a preference, and the answer without it is right too. Whether it was
/// heeded, and with which bound, `Preference-Applied` tells.
pub fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok());
    let first = values.flat_map(preferences).find_map(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    // Digits that no integer holds are a wait beyond any bound.
    let seconds = if is_number { first.parse().unwrap_or(u64::MAX) } else { 0 };
    (seconds > 0).then(|| Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)))
}

/// The members of a header; a comma within quotes separates nothing.
fn preferences(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
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
        assert_eq!(of(r#"foo="a, wait=5", wait=7"#), Some(7));
        for ignored in ["wait=0", "wait=-1", "wait=+1", "wait=1.5", "wait=soon", "wait=", "wait", "return=minimal", ""]
        {
            assert_eq!(of(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn a_wait_beyond_the_bound_is_the_bound() {
        for huge in ["wait=61", "wait=600", "wait=18446744073709551616", "wait=99999999999999999999999999"] {
            assert_eq!(of(huge), Some(MAX_WAIT_SECONDS), "{huge}");
        }
    }

    #[test]
    fn the_first_of_several_waits_counts() {
        assert_eq!(of("wait=3, wait=40"), Some(3));
        assert_eq!(of("wait=soon, wait=40"), None);
    }
}
