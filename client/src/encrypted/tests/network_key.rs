//! The network's key: under which one nothing is encrypted.

use ::retrieval::Signer;
use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::service::{DOMAIN, Service, described};
use crate::ClientError;
use crate::encrypted::*;

#[tokio::test]
async fn a_network_key_is_believed_only_with_its_hashes() {
    let watch = unwatched();
    let fetched = |service: Service| async {
        let (service, client) = service.start().await;
        (client.network_key(&service.trust(), None, &unwatched()).await.map(|_| ()).unwrap_err(), service)
    };
    let (error, service) = fetched(Service::new()).await;
    // Right hashes, but no key of tfhe's: everything before that passed.
    assert!(matches!(error, EncryptedError::Key(_)), "{error}");
    assert_eq!(service.asked()[1..], ["GET /v1/fhe/keys/network/public-key", "GET /v1/fhe/keys/network/crs"]);

    let mut other_id = Service::new();
    other_id.network["key_id"] = json!(B256::ZERO);
    let (error, _) = fetched(other_id).await;
    assert!(matches!(error, EncryptedError::KeyId { .. }), "{error}");
    let mut other_bytes = Service::new();
    other_bytes.parts[1] = b"reference strinG".to_vec();
    let (error, _) = fetched(other_bytes).await;
    assert!(matches!(error, EncryptedError::KeyPart { part: "common reference string", .. }), "{error}");
    let mut longer = Service::new();
    longer.parts[0] = vec![0; 5_000];
    let (error, _) = fetched(longer).await;
    assert!(matches!(error, EncryptedError::Client(ClientError::Unexpected { .. })), "{error}");
    let mut none = Service::new();
    none.network = Value::Null;
    let (error, _) = fetched(none).await;
    assert!(matches!(error, EncryptedError::NoNetworkKey), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let cache = KeyCache::at(folder.path());
    let (service, client) = Service::new().start().await;
    for _ in 0..2 {
        assert!(client.network_key(&service.trust(), Some(&cache), &watch).await.is_err());
    }
    assert_eq!(service.asked().iter().filter(|asked| asked.contains("/network/")).count(), 2, "each part once");
}

/// Everything that the thief's API says fits together; only who signed it does not.
#[tokio::test]
async fn a_stolen_api_gets_nobody_to_encrypt_under_its_own_key() {
    let theft = async |stolen: fn(&mut Service)| {
        let mut service = Service::new();
        stolen(&mut service);
        let (service, client) = service.start().await;
        let error = client.network_key(&service.trust(), None, &unwatched()).await.map(|_| ()).unwrap_err();
        assert!(error.is_distrust(), "{error}");
        assert_eq!(service.asked(), ["GET /v1/fhe/keys"], "nothing of the key is even fetched");
        error
    };
    let unsigned = |error: &EncryptedError| matches!(error, EncryptedError::UnsignedNetworkKey { .. });
    // A key of the thief's own, signed by itself.
    let error = theft(|service| {
        service.parts = [b"another key".to_vec(), b"another string".to_vec()];
        service.network = described(&service.parts, &Signer::random(), DOMAIN);
    });
    assert!(unsigned(&error.await));
    // The same under the key manager's own signature, which is over another key.
    let error = theft(|service| {
        let parts = [b"another key".to_vec(), b"another string".to_vec()];
        let genuine = service.network["signature"].take();
        service.network = described(&parts, &service.manager, DOMAIN);
        service.network["signature"] = genuine;
    });
    assert!(unsigned(&error.await));
    let error = theft(|service| service.network["parameters"] = json!("network/weak"));
    assert!(unsigned(&error.await));
    let error = theft(|service| service.network["signature"] = json!("0x"));
    assert!(unsigned(&error.await));

    let (service, client) = Service::new().start().await;
    let nobody = client.network_key(&Trust::default(), None, &unwatched()).await.map(|_| ()).unwrap_err();
    assert!(matches!(nobody, EncryptedError::NoTrust), "{nobody}");
    let elsewhere = Trust::chain("http://127.0.0.1:9", Address::ZERO);
    let error = client.network_key(&elsewhere, None, &unwatched()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::OtherRegistry { .. }), "{error}");
    let id = client.network_key_described().await.unwrap().info().key_id;
    let known = client.network_key_described().await.unwrap().expect(id).unwrap();
    assert_eq!(known.info().key_id, id, "an id that was learnt elsewhere is enough");
    let other = client.network_key_described().await.unwrap().expect(B256::ZERO).unwrap_err();
    assert!(matches!(other, EncryptedError::OtherNetworkKey { .. }) && other.is_distrust(), "{other}");
    assert!(service.asked().iter().all(|asked| !asked.contains("/network/")));
}
