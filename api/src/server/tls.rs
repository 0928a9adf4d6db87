//! HTTPS with a certificate that may be renewed while the server runs: its files are read again when they change.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(5);

/// Where certificate chain and private key lie, both PEM.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {reason}", file.display())]
    File { file: PathBuf, reason: String },
    #[error("{} is not the key of the certificate in {}: {source}", files.key.display(), files.chain.display())]
    Pair { files: CertificateFiles, source: rustls::Error },
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// The server's side of TLS 1.2 and 1.3. Cheap to clone; all clones have the newest certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, hold no PEM, or do not belong together.
    pub fn new(files: CertificateFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(files.read()?);
        let certificate = Arc::new(Certificate { files, current });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Reads the files again when they change, until `stop`. What cannot be used is told, and the certificate before
    /// it goes on.
    pub async fn watch(self, stop: CancellationToken) {
        let mut seen = self.certificate.files.changed_at();
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let now = self.certificate.files.changed_at();
            if now != seen {
                seen = now;
                self.reload();
            }
        }
    }

    /// Reads the files now.
    pub fn reload(&self) {
        match self.certificate.files.read() {
            Ok(key) => {
                *self.certificate.current.write().unwrap_or_else(PoisonError::into_inner) = key;
                tracing::info!(file = %self.certificate.files.chain.display(), "the TLS certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the new TLS certificate cannot be used; the one before goes on"),
        }
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.certificate.files).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Certificate {
    files: CertificateFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl CertificateFiles {
    fn read(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let in_file = |file: &PathBuf, reason: &dyn fmt::Display| TlsError::File {
            file: file.clone(),
            reason: reason.to_string(),
        };
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.chain)
            .and_then(Iterator::collect)
            .map_err(|error| in_file(&self.chain, &error))?;
        if chain.is_empty() {
            return Err(in_file(&self.chain, &"no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| in_file(&self.key, &error))?;
        let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        Ok(Arc::new(pair.map_err(|source| TlsError::Pair { files: self.clone(), source })?))
    }

    /// When the files were written last; `None` for one that cannot be seen.
    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
    }
}
