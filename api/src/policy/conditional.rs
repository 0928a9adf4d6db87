//! `If-None-Match` (RFC 9110 section 13.1.2): a client that has the newest version gets 304 instead of it.

use axum::http::{HeaderMap, header};

/// Whether the client has the representation that `etag` names, by the weak comparison.
pub fn client_has(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_tags_counts() {
        for (sent, has) in [("\"7\"", true), ("\"6\", W/\"7\"", true), ("*", true), ("\"8\"", false), ("7", false)] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, sent.parse().unwrap())]);
            assert_eq!(client_has(&headers, "\"7\""), has, "{sent}");
        }
        assert!(!client_has(&HeaderMap::new(), "\"7\""));
    }
}
