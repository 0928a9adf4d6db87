//! Who calls over mTLS: those whose certificate our authority signed, and only to a server whose certificate it signed.

use kms::proto::HealthRequest;
use kms::proto::key_manager_client::KeyManagerClient;
use kms::{Access, Certificates, Client, ClientError, Config};
use retrieval::{Domain, Signer};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::anvil::CHAIN_ID;
use crate::stage::{API, DEPTH_IS_FINAL, SetUp, WORKER, keys};

/// `tests/certificates/make.sh` makes them.
macro_rules! pem {
    ($file:literal) => {
        include_str!(concat!("../../../tests/certificates/", $file))
    };
}

const OURS: &str = pem!("authority.pem");
const OTHERS: &str = pem!("other-authority.pem");

fn certificates(certificate: &str, key: &str, authority: &str) -> Certificates {
    Certificates { certificate: certificate.to_owned(), key: key.to_owned(), authority: authority.to_owned() }
}

fn of_a_client() -> Certificates {
    certificates(pem!("client.pem"), pem!("client.key"), OURS)
}

/// A key manager that serves over mTLS alone, and its host:port.
async fn server() -> (String, tempfile::TempDir, DropGuard) {
    // As every process of ours does when it starts.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let data = tempfile::tempdir().unwrap();
    let domain = Domain { chain_id: CHAIN_ID, registry: [1; 20].into() };
    let nodes = vec!["http://127.0.0.1:1".to_owned()];
    let worker = Signer::random().address();
    let set_up = SetUp {
        data: data.path().to_owned(),
        domain,
        worker,
        nodes,
        quorum: 1,
        finality: DEPTH_IS_FINAL,
        code_hash: None,
    };
    let tls = Some(certificates(pem!("server.pem"), pem!("server.key"), OURS));
    let config = Config { tls, ..set_up.config(keys()) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    tokio::spawn(kms::serve(listener, config, stop.clone()));
    (address, data, stop.drop_guard())
}

fn client(address: &str, credential: &str, tls: Certificates) -> Client {
    let url = format!("https://{address}");
    Client::new(&Access { url, credential: credential.to_owned(), tls: Some(tls) }).unwrap()
}

#[tokio::test]
async fn api_and_worker_are_served_over_mtls_and_still_need_their_credentials() {
    let (address, _data, _server) = server().await;
    for credential in [API, WORKER] {
        let client = client(&address, credential, of_a_client());
        let manifest = client.manifest().await.unwrap();
        assert_eq!(client.crs(&manifest).await.unwrap().len() as u64, manifest.crs.size);
    }
    let stranger = client(&address, "somebody", of_a_client());
    assert!(matches!(stranger.manifest().await, Err(ClientError::Credential(_))));
}

#[tokio::test]
async fn whoever_has_no_certificate_of_ours_is_not_heard() {
    let (address, _data, _server) = server().await;
    let foreign = [
        ("of another authority", certificates(pem!("other-client.pem"), pem!("other-client.key"), OURS)),
        ("for servers", certificates(pem!("server.pem"), pem!("server.key"), OURS)),
    ];
    for (what, tls) in foreign {
        let refused = client(&address, API, tls).manifest().await;
        let unheard = matches!(refused, Err(ClientError::Unavailable(_) | ClientError::Unusable(_)));
        assert!(unheard, "a certificate {what}: {refused:?}");
    }

    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(OURS));
    let anonymous = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(trusting).unwrap();
    let mut anonymous = KeyManagerClient::new(anonymous.connect_lazy());
    assert!(anonymous.health(HealthRequest {}).await.is_err(), "no certificate");

    let plain =
        Client::new(&Access { url: format!("http://{address}"), credential: API.to_owned(), tls: None }).unwrap();
    assert!(plain.health().await.is_err(), "no TLS");

    client(&address, API, of_a_client()).health().await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_request() {
    let (address, _data, _server) = server().await;
    let careful = certificates(pem!("client.pem"), pem!("client.key"), OTHERS);
    let refused = client(&address, API, careful).manifest().await.unwrap_err();
    assert!(!refused.is_retryable() && refused.to_string().contains("authority that is not trusted"), "{refused}");
}
