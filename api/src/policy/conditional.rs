//! Representations with a tag: `If-None-Match` (RFC 9110 section 13.1.2) gets 304 from a client that has the newest
//! version.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// What is answered may change or be forbidden at any time, so a cache asks before each use.
const CACHE: &str = "private, no-cache";

/// `Repr-Digest` (RFC 9530).
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The headers of a representation: sent with it, and with the 304 that stands for it.
#[derive(Clone, Debug)]
pub struct Tagged {
    etag: String,
    headers: Vec<(HeaderName, String)>,
}

impl Tagged {
    /// A representation that has versions.
    pub fn version(version: i64) -> Self {
        Self::tag(format!("\"{version}\""))
    }

    /// One that has versions, and a part that changes by itself.
    pub fn version_with(version: i64, part: &[u8]) -> Self {
        let digest = Sha256::digest(part);
        Self::tag(format!("\"{version}-{}\"", hex::encode(&digest[..8])))
    }

    /// Bytes that their SHA-256 names.
    pub fn digest(sha256: &[u8; 32]) -> Self {
        let tagged = Self::tag(format!("\"0x{}\"", hex::encode(sha256)));
        tagged.with(REPR_DIGEST, format!("sha-256=:{}:", STANDARD.encode(sha256)))
    }

    fn tag(etag: String) -> Self {
        let headers = vec![(header::ETAG, etag.clone()), (header::CACHE_CONTROL, CACHE.to_owned())];
        Self { etag, headers }
    }

    /// The same with another header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// 304 when the client has the representation, by the weak comparison.
    pub fn not_modified(&self, request: &HeaderMap) -> Option<Response> {
        self.client_has(request).then(|| self.clone().of(StatusCode::NOT_MODIFIED))
    }

    /// The representation.
    pub fn of(self, body: impl IntoResponse) -> Response {
        let mut response = body.into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn client_has(&self, request: &HeaderMap) -> bool {
        let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag == self.etag
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_tags_counts() {
        let seventh = Tagged::version(7);
        for (sent, has) in [("\"7\"", true), ("\"6\", W/\"7\"", true), ("*", true), ("\"8\"", false), ("7", false)] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, sent.parse().unwrap())]);
            assert_eq!(seventh.not_modified(&headers).is_some(), has, "{sent}");
        }
        assert!(seventh.not_modified(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_304_carries_the_headers_of_what_it_stands_for() {
        let tagged = Tagged::digest(&[0; 32]).with("x-result-hash".parse().unwrap(), "0x00".to_owned());
        let everything = HeaderMap::from_iter([(header::IF_NONE_MATCH, "*".parse().unwrap())]);
        let (short, whole) = (tagged.not_modified(&everything).unwrap(), tagged.of("body"));
        assert_eq!((short.status().as_u16(), whole.status().as_u16()), (304, 200));
        for name in ["etag", "cache-control", "repr-digest", "x-result-hash"] {
            assert_eq!(short.headers()[name], whole.headers()[name]);
        }
    }
}
