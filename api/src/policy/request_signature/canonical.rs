//! What a signature covers.

use std::fmt;

/// The lines that are signed, each of them as it stands in the request.
pub(super) struct Canonical<'a> {
    pub(super) method: &'a str,
    /// As it was sent, percent-encoding included.
    pub(super) path: &'a str,
    /// As it was sent, without its question mark; empty where there is none.
    pub(super) query: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) nonce: &'a str,
    /// SHA-256 in hexadecimal digits.
    pub(super) body: &'a str,
}

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, query, timestamp, nonce, body } = self;
        write!(f, "zama-jobs/v1/request\n{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body}")
    }
}
