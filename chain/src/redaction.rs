//! What may be told of a node's address: its path, its query and its user are often keys.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use alloy::transports::http::reqwest::Url;

/// Parts of an address that are shorter are no keys: `v3`, `rpc`.
const SHORTEST_KEY: usize = 8;

/// What may be a key in the addresses that this process was given.
static KEYS: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// How an address begins in a text.
const SCHEMES: [&str; 2] = ["http://", "https://"];

/// Scheme, host and port of an address, whether it is a valid one or not. Where a user or a password may be in it, the
/// scheme alone.
pub(crate) fn origin(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    match rest.contains('@') {
        true => format!("{scheme}…"),
        false => scheme + authority,
    }
}

/// Remembers what may be a key in this address, however a text repeats it: a server tells paths without their host.
pub(crate) fn remember(address: &Url) {
    let path = address.path_segments().into_iter().flatten().map(str::to_owned);
    let query = address.query_pairs().flat_map(|(key, value)| [key.into_owned(), value.into_owned()]);
    let user = [Some(address.username()), address.password()].into_iter().flatten().map(str::to_owned);
    let keys = path.chain(query).chain(user).filter(|part| part.len() >= SHORTEST_KEY);
    KEYS.write().unwrap_or_else(PoisonError::into_inner).extend(keys);
}

/// A text in which every address of a server is no more than its origin, and which has none of the remembered keys:
/// libraries name the whole address when something fails, and servers repeat it or parts of it.
pub(crate) fn without_keys(text: &str) -> String {
    let keys = KEYS.read().unwrap_or_else(PoisonError::into_inner);
    keys.iter().fold(by_origin(text), |told, key| told.replace(key.as_str(), "…"))
}

fn by_origin(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = SCHEMES.iter().filter_map(|scheme| rest.find(scheme)).min() {
        let (before, address) = rest.split_at(at);
        let end = address.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        // "… for url (https://…): refused": bracket and colon are the sentence's.
        let url = address.trim_end_matches([':', ';', ',', '.', ')']);
        told.push_str(before);
        told.push_str(&origin(url));
        told.push_str(&address[url.len()..]);
        rest = after;
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_by_its_origin() {
        for (address, told) in [
            ("https://node.example/v3/key", "https://node.example"),
            ("https://node.example:8443?token=key#x", "https://node.example:8443"),
            ("https://user:secret@node.example/key", "https://…"),
            ("https://user:sec/ret@node.example", "https://…"),
            ("ws://node.example/key", "ws://node.example"),
            ("node.example/key", "node.example"),
            ("localhost:8545", "localhost:8545"),
            ("/key", ""),
            ("", ""),
        ] {
            assert_eq!(origin(address), told, "{address}");
        }
    }

    #[test]
    fn a_key_that_is_repeated_without_its_address_is_not_told() {
        remember(&"https://someone:a-pass-word@node.example/v3/pathkey-1?auth=querykey-1".parse().expect("a URL"));
        for (text, told) in [
            ("Cannot POST /v3/pathkey-1", "Cannot POST /v3/…"),
            ("project key querykey-1 exceeded its limit", "project key … exceeded its limit"),
            ("a-pass-word is wrong", "… is wrong"),
            ("v3 is no key", "v3 is no key"),
        ] {
            assert_eq!(without_keys(text), told);
        }
    }

    #[test]
    fn a_text_keeps_everything_but_the_keys() {
        for (text, told) in [
            (
                "error sending request for url (https://node.example/v3/key): refused",
                "error sending request for url (https://node.example): refused",
            ),
            ("(https://node.example/a)key).", "(https://node.example)."),
            (
                "see \"http://a/key\" and <https://b/key>, or http://c:1/key",
                "see \"http://a\" and <https://b>, or http://c:1",
            ),
            ("ask https://user:key@node.example now", "ask https://… now"),
            ("execution reverted: https is no scheme", "execution reverted: https is no scheme"),
            ("", ""),
        ] {
            assert_eq!(without_keys(text), told);
        }
    }
}
