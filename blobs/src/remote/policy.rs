//! Which URLs are fetched, and within which limits.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::FetchError;
use super::address::is_public;

/// Longest URL, in bytes.
const MAX_URL: usize = 2048;

/// What a fetch keeps to. The public one is the only one outside of tests.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    pub(super) scheme: &'static str,
    pub(super) ports: &'static [u16],
    pub(super) admits: fn(IpAddr) -> bool,
    /// Largest answer, in bytes.
    pub(super) bytes: u64,
    /// From the name's resolution to the last byte.
    pub(super) time: Duration,
    pub(super) connect: Duration,
}

/// A URL that may be fetched if its addresses are public.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) port: u16,
    /// The host, where it is written as an address.
    pub(super) address: Option<IpAddr>,
}

impl Policy {
    pub(super) const PUBLIC: Self = Self {
        scheme: "https",
        ports: &[443, 8443],
        admits: is_public,
        bytes: crate::MAX_BLOB_BYTES,
        time: Duration::from_secs(60),
        connect: Duration::from_secs(10),
    };

    pub(super) fn https_only(&self) -> bool {
        self.scheme == "https"
    }

    pub(super) fn read(&self, text: &str) -> Result<Target, FetchError> {
        if text.len() > MAX_URL {
            return Err(FetchError::Url("is longer than 2048 bytes"));
        }
        let mut url = Url::parse(text).map_err(|_| FetchError::Url("cannot be read"))?;
        if url.scheme() != self.scheme {
            return Err(FetchError::Url("is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Url("carries credentials"));
        }
        let Some(host) = url.host_str().map(str::to_owned) else { return Err(FetchError::Url("names no host")) };
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.ports.is_empty() && !self.ports.contains(&port) {
            return Err(FetchError::Url("names a port other than 443 and 8443"));
        }
        url.set_fragment(None);
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let address = bare.parse().ok();
        Ok(Target { url, host, port, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_is_read() {
        for good in ["https://example.com/a?b#c", "https://example.com:8443", "https://EXAMPLE.com:443/"] {
            assert!(Policy::PUBLIC.read(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/v1/blobs/ab",
            "http://example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://user@example.com",
            "https://:secret@example.com",
            "https://example.com:22/",
            "https://example.com:80/",
            "https://",
            &format!("https://example.com/{}", "a".repeat(2048)),
        ] {
            assert!(matches!(Policy::PUBLIC.read(bad), Err(FetchError::Url(_))), "{bad}");
        }
    }

    /// Every spelling of an address is one to the check: none is taken for a name.
    #[test]
    fn an_address_is_known_in_any_spelling() {
        for (spelling, address) in [
            ("https://127.0.0.1/", "127.0.0.1"),
            ("https://127.1/", "127.0.0.1"),
            ("https://2130706433/", "127.0.0.1"),
            ("https://0x7f000001/", "127.0.0.1"),
            ("https://0177.0.0.1/", "127.0.0.1"),
            ("https://[::1]/", "::1"),
            ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1"),
            ("https://①27.0.0.1/", "127.0.0.1"),
        ] {
            let target = Policy::PUBLIC.read(spelling).unwrap();
            assert_eq!(target.address, Some(address.parse().unwrap()), "{spelling}");
        }
        assert_eq!(Policy::PUBLIC.read("https://example.com/").unwrap().address, None);
    }
}
