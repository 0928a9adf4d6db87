//! HTTPS by the server itself, and a certificate that is renewed while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{CertificateFiles, Door, Tls, TlsError};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::app::{Listening, TestApp, until_closed, wide_door};

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificates")
}

/// A copy of these files that a test may overwrite.
struct Own(tempfile::TempDir);

impl Own {
    fn of(name: &str) -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        own.replace_by(name);
        own
    }

    fn replace_by(&self, name: &str) {
        for end in ["pem", "key"] {
            std::fs::copy(certificates().join(format!("{name}.{end}")), self.0.path().join(end)).unwrap();
        }
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles { chain: self.0.path().join("pem"), key: self.0.path().join("key") }
    }
}

/// What a client that trusts this authority has of `GET /livez`, or why it has nothing.
async fn livez(server: &Listening, authority: &str, protocols: &[&str]) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates().join(authority)).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, server.connect().await).await.map_err(|error| error.to_string())?;
    let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    if agreed.as_deref() == Some(b"h2") {
        return Ok("h2".to_owned());
    }
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: zama\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    _ = stream.read_to_string(&mut answer).await;
    Ok(answer)
}

fn behind(tls: &Tls) -> Door {
    Door { tls: Some(tls.clone()), ..wide_door() }
}

#[tokio::test]
async fn the_api_speaks_https_and_nothing_else_there() {
    let own = Own::of("server");
    let app = TestApp::without_database();
    let server = app.listen_behind(behind(&Tls::new(own.files()).unwrap())).await;
    let answer = livez(&server, "authority.pem", &["http/1.1"]).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nstrict-transport-security: "), "{answer}");
    assert_eq!(livez(&server, "authority.pem", &["h2", "http/1.1"]).await.unwrap(), "h2");
    assert!(livez(&server, "other-authority.pem", &["http/1.1"]).await.is_err());
    let plain = server.exchange("GET /livez HTTP/1.1\r\nHost: zama\r\n\r\n").await;
    assert!(!plain.contains("200 OK"), "{plain}");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_its_connection() {
    let own = Own::of("server");
    let app = TestApp::without_database();
    let door = Door { head_timeout: Duration::from_millis(200), ..behind(&Tls::new(own.files()).unwrap()) };
    let server = app.listen_behind(door).await;
    // Silence, and the first bytes of a ClientHello.
    for begun in [&b""[..], &[0x16, 0x03, 0x01, 0x02]] {
        let mut stream = server.connect().await;
        stream.write_all(begun).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "");
    }
}

#[tokio::test]
async fn a_renewed_certificate_counts_for_the_next_connection() {
    let own = Own::of("server");
    let tls = Tls::new(own.files()).unwrap();
    let app = TestApp::without_database();
    let server = app.listen_behind(behind(&tls)).await;
    own.replace_by("other-server");
    tls.reload();
    assert!(livez(&server, "authority.pem", &[]).await.is_err());
    assert!(livez(&server, "other-authority.pem", &[]).await.unwrap().starts_with("HTTP/1.1 200 "));

    std::fs::copy(certificates().join("server.pem"), own.files().chain).unwrap();
    tls.reload();
    let before = livez(&server, "other-authority.pem", &[]).await.unwrap();
    assert!(before.starts_with("HTTP/1.1 200 "), "half a renewal changes nothing: {before}");
}

#[test]
fn files_that_do_not_serve_are_named() {
    let own = Own::of("server");
    let CertificateFiles { chain, key } = own.files();
    std::fs::copy(certificates().join("other-server.key"), &key).unwrap();
    assert!(matches!(Tls::new(own.files()), Err(TlsError::Pair { .. })));
    std::fs::write(&key, "no key").unwrap();
    let told = Tls::new(own.files()).unwrap_err().to_string();
    assert!(told.starts_with(&key.display().to_string()), "{told}");
    std::fs::write(&chain, "").unwrap();
    let told = Tls::new(own.files()).unwrap_err().to_string();
    assert!(told.starts_with(&chain.display().to_string()), "{told}");
}
