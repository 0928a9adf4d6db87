//! Where a request comes from: the other end of its connection, or, behind proxies that the configuration trusts, whom
//! these say.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection; a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// Whether the connection is TLS.
    pub secure: bool,
}

/// Networks of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks in CIDR, or single addresses.
    ///
    /// # Errors
    /// The one that is neither.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &str| {
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map(|network| network.trunc()).map_err(|_| format!("{text} is neither a network nor an address"))
        };
        texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(read).collect::<Result<_, _>>().map(Self)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An IPv4 address within IPv6 is that IPv4 address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Proxies that are believed about their clients.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Networks);

impl TrustedProxies {
    /// The client's address. `X-Forwarded-For` is read from the right, where each proxy adds whom it heard, up to the first
    /// address that is no trusted proxy: what stands left of it anybody may have written. `None` where a trusted proxy's
    /// entry cannot be read.
    #[must_use]
    pub fn client(&self, peer: &Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer.address.to_canonical();
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        for value in values.into_iter().rev() {
            for entry in value.as_bytes().rsplit(|byte| *byte == b',') {
                if !self.0.contain(client) {
                    return Some(client);
                }
                client = read(std::str::from_utf8(entry).ok()?.trim())?.to_canonical();
            }
        }
        Some(client)
    }

    /// Whether nobody between us and the client can read the answer: TLS to us, or to a proxy that is trusted.
    #[must_use]
    pub fn is_secure(&self, peer: &Peer, headers: &HeaderMap) -> bool {
        let told = || {
            let value = headers.get_all(FORWARDED_PROTO).iter().next_back()?.to_str().ok()?;
            Some(value.rsplit(',').next()?.trim().eq_ignore_ascii_case("https"))
        };
        peer.secure || self.0.contain(peer.address) && told().unwrap_or_default()
    }
}

/// An address, with a port perhaps, as proxies write it.
fn read(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        Networks::read(text.split(',')).expect("networks")
    }

    fn peer(address: &str) -> Peer {
        Peer { address: address.parse().expect("an address"), secure: false }
    }

    /// The client behind proxies in 10.0.0.0/8 and fd00::/8.
    fn client(from: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        let proxies = TrustedProxies(networks("10.0.0.0/8, fd00::/8"));
        proxies.client(&peer(from), &headers).map(|address| address.to_string())
    }

    #[test]
    fn networks_are_of_both_versions_and_addresses_of_either_form() {
        let networks = networks("192.0.2.0/24, 2001:db8::/32, 198.51.100.7, 203.0.113.9/28");
        let contains = |address: &str| networks.contain(address.parse().expect("an address"));
        for inside in ["192.0.2.255", "2001:db8:ffff::1", "198.51.100.7", "::ffff:192.0.2.1", "203.0.113.0"] {
            assert!(contains(inside), "{inside}");
        }
        for outside in ["192.0.3.0", "2001:db9::", "198.51.100.8", "::192.0.2.1", "203.0.113.16", "127.0.0.1"] {
            assert!(!contains(outside), "{outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        for bad in ["300.0.0.1", "192.0.2.0/33", "example.com", "192.0.2.0/24/24", "1"] {
            let told = Networks::read(["127.0.0.1", bad]).expect_err("refused");
            assert!(told.starts_with(bad), "{told}");
        }
        assert!(networks(" ,").is_empty());
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &[]).as_deref(), Some("192.0.2.1"));
        assert_eq!(client("192.0.2.1", &["203.0.113.5"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(client("192.0.2.1", &["garbage"]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_proxys_entry_is_the_last_one_and_what_a_client_wrote_before_it_is_not_read() {
        assert_eq!(client("10.0.0.1", &["203.0.113.5"]).as_deref(), Some("203.0.113.5"));
        assert_eq!(client("10.0.0.1", &["192.0.2.66, 203.0.113.5"]).as_deref(), Some("203.0.113.5"));
        assert_eq!(client("10.0.0.1", &["garbage, 203.0.113.5"]).as_deref(), Some("203.0.113.5"));
        assert_eq!(client("10.0.0.1", &["192.0.2.66", "203.0.113.5"]).as_deref(), Some("203.0.113.5"));
        assert_eq!(client("10.0.0.1", &["192.0.2.66", "203.0.113.5, 10.2.3.4"]).as_deref(), Some("203.0.113.5"));
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::7]:4711"]).as_deref(), Some("2001:db8::7"));
        assert_eq!(client("fd00::1", &["203.0.113.5:80"]).as_deref(), Some("203.0.113.5"));
    }

    #[test]
    fn where_a_proxy_says_nothing_that_can_be_read_nobody_knows_the_client() {
        for unread in ["unknown", "", "203.0.113.5,", "_hidden", "203.0.113"] {
            assert_eq!(client("10.0.0.1", &[unread]), None, "{unread:?}");
        }
        // A request of the proxy's own: its health checks for instance.
        assert_eq!(client("10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn tls_is_ours_or_a_trusted_proxys() {
        let proxies = TrustedProxies(networks("10.0.0.0/8"));
        let mut https = HeaderMap::new();
        https.insert(FORWARDED_PROTO, "https".parse().expect("a value"));
        assert!(proxies.is_secure(&peer("10.0.0.1"), &https));
        assert!(!proxies.is_secure(&peer("192.0.2.1"), &https), "anybody can write that");
        assert!(!proxies.is_secure(&peer("10.0.0.1"), &HeaderMap::new()));
        assert!(proxies.is_secure(&Peer { secure: true, ..peer("192.0.2.1") }, &HeaderMap::new()));
        https.insert(FORWARDED_PROTO, "https, http".parse().expect("a value"));
        assert!(!proxies.is_secure(&peer("10.0.0.1"), &https), "the last proxy's word counts");
    }
}
