//! The content hash: what a client meant, whatever its whitespace and the order of its members.

use alloy::primitives::B256;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of the RFC 8785 form of a body as [`crate::json::parse`] read it.
#[must_use]
pub fn content_hash(body: &Value) -> B256 {
    B256::from_slice(&Sha256::digest(text(body)))
}

/// The RFC 8785 form of a value.
#[must_use]
pub fn text(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).expect("a JSON value has a canonical form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn hash(text: &str) -> B256 {
        content_hash(&parse(text.as_bytes()).expect("valid JSON"))
    }

    #[test]
    fn order_and_space_do_not_matter() {
        assert_eq!(hash(r#"{"a":1.0,"b":[1,2]}"#), hash("{ \"b\": [1, 2],\n \"a\": 1 }"));
        assert_ne!(hash(r#"{"a":[1,2]}"#), hash(r#"{"a":[2,1]}"#));
    }

    #[test]
    fn big_integers_do_not_collide() {
        assert_ne!(hash(r#"{"n":9007199254740993}"#), hash(r#"{"n":9007199254740992}"#));
    }

    #[test]
    fn the_form_is_rfc_8785() {
        let value = parse("{\"\u{20ac}\":1e21,\"a\":0.1,\"\\r\":true}".as_bytes()).expect("valid JSON");
        assert_eq!(text(&value), "{\"\\r\":true,\"a\":0.1,\"\u{20ac}\":1e+21}");
    }
}
