//! What may be told of a node's address: its path, its query and its user are often keys.

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

/// A text in which every address of a server is no more than its origin: libraries name the whole address when something
/// fails, and servers repeat it.
pub(crate) fn without_keys(text: &str) -> String {
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
