//! A stolen API that offers a network key of its own: no client encrypts under it.

use alloy::primitives::{B256, hex};
use axum::Router;
use axum::routing::get;
use client::{Client, ClientError, EncryptedError, Trust, unwatched};
use retrieval::{Domain, NetworkKeyClaim, Signer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::story::REGULAR;
use crate::harness::{Stack, USER};

fn word(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nobody_encrypts_under_a_key_that_the_pinned_key_manager_did_not_sign() {
    let stack = Stack::encrypted();
    let zama = stack.user_of(REGULAR, USER);
    let trust = Trust::chain(stack.rpc.clone(), stack.registry.parse().unwrap());
    let genuine = Client::new(&stack.api, &zama.token).unwrap();
    Box::pin(genuine.network_key(&trust, None, &unwatched())).await.map(|_| ()).unwrap();

    // Another public key, everything else made to fit, and signed by the thief.
    let mut stolen = serde_json::to_value(genuine.keys().await.unwrap()).unwrap();
    let network = &mut stolen["network"];
    network["public_key"]["sha256"] = json!(B256::repeat_byte(7));
    let parts = ["evaluation_key", "public_key", "crs"].map(|part| word(&network[part]["sha256"]));
    let key_id = B256::from_slice(&parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize());
    let thief = Signer::random();
    let claim = NetworkKeyClaim { key_id, parameters: network["parameters"].as_str().unwrap() };
    let domain = Domain { chain_id: 31_337, registry: stack.registry.parse().unwrap() };
    let signature = thief.sign(claim.digest(domain)).unwrap().to_bytes();
    network["key_id"] = json!(key_id);
    network["signer"] = json!(thief.address());
    network["signature"] = json!(hex::encode_prefixed(signature));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let api = Router::new().route("/v1/fhe/keys", get(async move || axum::Json(stolen)));
    tokio::spawn(async move { axum::serve(listener, api).await });
    let client = Client::new(&origin, &zama.token).unwrap();
    let error = Box::pin(client.network_key(&trust, None, &unwatched())).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::UnsignedNetworkKey { .. }) && error.is_distrust(), "{error}");
    // The thief's own word is worth what it is to whoever believes the thief.
    let fooled = Box::pin(client.network_key(&Trust::key_manager(thief.address()), None, &unwatched())).await;
    let went_on = fooled.map(|_| ()).unwrap_err();
    assert_eq!(went_on.client().and_then(ClientError::status), Some(404), "the parts are fetched: {went_on}");
}
