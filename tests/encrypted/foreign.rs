//! Inputs that lie on another company's server.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use jobs::ErrorCode;
use jobs::wire::Job;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::story::{Owner, bytes};
use crate::harness::{FOREIGN_HOST, Stack, foreign_address};

const ALGORITHM: &str = "encrypted_maximum";
const PORT: u16 = 8443;

/// Serves one blob at `/inputs` over TLS, and sends everybody else there.
struct Server {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(blob: Vec<u8>) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates");
        let certificate = CertificateDer::from_pem_file(format!("{folder}/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind(SocketAddr::from((foreign_address(), PORT))).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that does not like us hangs up.
                if let Ok(path) = answer(stream.unwrap(), config.clone(), &blob) {
                    notes.lock().unwrap().push(path);
                }
            }
        });
        Self { asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request of one connection; its path.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, blob: &[u8]) -> std::io::Result<String> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let stream = stream.get_mut();
    match path.as_str() {
        "/inputs" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", blob.len())?;
            stream.write_all(blob)?;
        }
        _ => write!(stream, "HTTP/1.1 302 Found\r\nlocation: /inputs\r\nconnection: close\r\n\r\n")?,
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(path)
}

async fn fails(owner: &Owner<'_>, url: &str) -> Job {
    let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url});
    owner.zama.submit(&json!({"type": "fhe_compute", "payload": payload})).await.fails().await
}

#[tokio::test]
async fn inputs_are_fetched_once_from_a_server_that_proves_its_name_and_from_nowhere_else() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let server = Server::start(owner.encrypts(bytes(&[5, 9])).await);
    let url = |path: &str| format!("https://{FOREIGN_HOST}:{PORT}{path}");

    let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url("/inputs")});
    let job = owner.zama.submit(&json!({"type": "fhe_compute", "payload": payload})).await;
    job.completes().await;
    assert_eq!(owner.opens(job).await.json(), r#"{"index":1,"price":9}"#);
    assert_eq!(server.asked(), ["/inputs"]);

    let redirected = fails(&owner, &url("/elsewhere")).await.error.unwrap();
    assert_eq!(redirected.code, ErrorCode::JobValidationFailed);
    assert!(redirected.detail.contains("302"), "{redirected:?}");
    assert_eq!(server.asked(), ["/inputs", "/elsewhere"], "a redirect is not followed");

    // Whoever takes it for the API does not believe its certificate, says why, and does not try again.
    let origin = format!("https://{}:{PORT}", foreign_address());
    let distrusted = client::Client::new(&origin, "token").unwrap().me().await.unwrap_err();
    assert!(matches!(&distrusted, client::ClientError::Tls(why) if why.contains("certificate")), "{distrusted}");
    assert!(!distrusted.is_transient());

    // The same server by its address, which is not public.
    let by_address = format!("https://{}:{PORT}/inputs", foreign_address());
    let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": by_address});
    let refused = owner.zama.posts(&json!({"type": "fhe_compute", "payload": payload}), &[]).await;
    assert_eq!((refused.status, refused.code()), (400, "JOB_VALIDATION_FAILED"), "{refused:?}");
    assert!(refused.body["errors"][0]["reason"].as_str().unwrap().contains("not public"), "{refused:?}");
    assert_eq!(server.asked().len(), 2, "nobody knocked");
}
