//! The fetch against a server of the test's own, under names that the test resolves.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, ready};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::policy::Policy;
use super::resolve::Resolver;
use super::{FetchError, Fetcher, InvalidHosts, KnownHosts, check_spelling};

/// Names and what they resolve to; counts the questions.
#[derive(Default)]
struct Names {
    known: HashMap<&'static str, Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = self.known.get(host).map(|found| found.iter().map(|text| text.parse().unwrap()).collect());
        ready(known.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))).boxed()
    }
}

fn names(known: &[(&'static str, &[&'static str])]) -> Arc<Names> {
    let known = known.iter().map(|(name, found)| (*name, found.to_vec())).collect();
    Arc::new(Names { known, asked: AtomicUsize::new(0) })
}

/// Of the tests' own authority.
const AUTHORITY: &[u8] = include_bytes!("../../../tests/certificates/authority.pem");

/// As the public policy but for what a test's server lacks: TLS, the port, a public address.
const LOCAL: Policy = Policy {
    scheme: "http",
    ports: &[],
    admits: |address| address == IpAddr::from([127, 0, 0, 1]),
    bytes: 1000,
    time: Duration::from_millis(500),
    ..Policy::PUBLIC
};

fn fetcher(resolver: Arc<Names>, policy: Policy) -> Fetcher {
    Fetcher { resolver, policy, known: KnownHosts::default() }
}

/// A server that gives every connection the same answer and notes how many there were.
async fn server(answer: &'static str, body: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&vec![b'x'; body]).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, connections)
}

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

#[test]
fn a_host_that_is_spelt_as_no_public_one_is_known_at_once() {
    for private in [
        "https://127.0.0.1/a",
        "https://2130706433/a",
        "https://10.0.0.8:8443/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a",
        "https://[fe80::1]/a",
        "https://[::ffff:192.168.0.1]/a",
        "https://localhost/a",
        "https://LOCALHOST./a",
        "https://files.localhost/a",
    ] {
        assert!(matches!(check_spelling(private), Err(FetchError::NotPublic { .. })), "{private}");
    }
    for odd in ["http://example.com/a", "https://example.com:22/a", "https://user@example.com/a"] {
        assert!(matches!(check_spelling(odd), Err(FetchError::Url(_))), "{odd}");
    }
    for name in ["https://example.com/a", "https://1.1.1.1/a", "https://localhost.example.com:8443/a"] {
        assert!(check_spelling(name).is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_its_bytes_come() {
    let (address, _) = server(OK, 1000).await;
    let names = names(&[("blobs.test", &["127.0.0.1"])]);
    let url = format!("http://blobs.test:{}/a", address.port());
    let fetched = fetcher(names.clone(), LOCAL).fetch(&url).await.unwrap();
    assert_eq!(fetched.len(), 1000);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_private_address_among_public_ones_refuses_the_name() {
    let names = names(&[("mixed.test", &["93.184.215.14", "10.0.0.7"]), ("meta.test", &["169.254.169.254"])]);
    let fetcher = fetcher(names, Policy::PUBLIC);
    for (url, refused) in [
        ("https://mixed.test/", "10.0.0.7"),
        ("https://meta.test/latest/meta-data", "169.254.169.254"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("https://[fd00:ec2::254]/", "fd00:ec2::254"),
    ] {
        let error = fetcher.fetch(url).await.unwrap_err();
        assert!(matches!(&error, FetchError::NotPublic { address, .. } if address.to_string() == refused), "{error}");
        assert!(!error.to_string().contains(refused) || url.contains(refused), "our names are told: {error}");
        assert!(error.is_permanent());
    }
    let error = fetcher.fetch("https://unknown.test/").await.unwrap_err();
    assert!(matches!(error, FetchError::Unresolvable(_)) && !error.is_permanent());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (inner, connections) = server(OK, 1).await;
    let location = format!("HTTP/1.1 302 Found\r\nlocation: http://{inner}/\r\nconnection: close\r\n\r\n");
    let (outer, _) = server(Box::leak(location.into_boxed_str()), 0).await;
    let error = fetcher(names(&[]), LOCAL).fetch(&format!("http://{outer}/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Status(302)) && error.is_permanent(), "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_limited_whether_or_not_it_says_its_length() {
    let (unannounced, _) = server(OK, 1001).await;
    let (announced, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 4000000000\r\n\r\n", 10).await;
    for address in [unannounced, announced] {
        let error = fetcher(names(&[]), LOCAL).fetch(&format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { limit: 1000 }), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_or_breaks_off_is_given_up() {
    let (silent, _) = server("", 0).await;
    let error = fetcher(names(&[]), LOCAL).fetch(&format!("http://{silent}/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { .. }) && !error.is_permanent(), "{error}");

    let (short, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", 10).await;
    let error = fetcher(names(&[]), LOCAL).fetch(&format!("http://{short}/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport(_)) && !error.is_permanent(), "{error}");
}

/// A developer's host needs no name server and no public address; nobody else gains anything by it.
#[tokio::test]
async fn a_known_host_is_reached_where_it_is_said_to_be_and_no_other_is() {
    let (address, _) = server(OK, 10).await;
    let names = names(&[("other.test", &["127.0.0.1"])]);
    let known = KnownHosts::parse("blobs.test=127.0.0.1", AUTHORITY).unwrap();
    let local = Policy { admits: super::is_public, ..LOCAL };
    let fetcher = fetcher(names.clone(), local).knowing(known);
    let fetched = fetcher.fetch(&format!("http://blobs.test:{}/a", address.port())).await.unwrap();
    assert_eq!((fetched.len(), names.asked.load(Ordering::SeqCst)), (10, 0));
    for other in ["other.test", "127.0.0.1"] {
        let error = fetcher.fetch(&format!("http://{other}:{}/a", address.port())).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic { .. }), "{other}: {error}");
    }
}

#[test]
fn settings_that_name_no_hosts_are_told() {
    for entry in ["blobs.test", "blobs.test=", "blobs.test=here", "=127.0.0.1:1"] {
        assert!(matches!(KnownHosts::parse(entry, AUTHORITY), Err(InvalidHosts::Entry(_))), "{entry}");
    }
    assert!(matches!(KnownHosts::parse("blobs.test=127.0.0.1", b"no PEM"), Err(InvalidHosts::Authority)));
}
