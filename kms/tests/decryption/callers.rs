//! Who may call what.

use futures::future::ready;
use futures::{StreamExt as _, stream};
use http::uri::PathAndQuery;
use kms::ClientError;
use kms::proto::{DecryptRequest, DecryptResponse};
use retrieval::{NetworkKeyClaim, RecipientKey};
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use crate::stage::{PATIENCE, Stage, WORKER, client};

#[tokio::test]
async fn a_stranger_gets_nothing_and_health_alone() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let manifest = stage.client.manifest().await.unwrap();
    for credential in ["", "wrong"] {
        let stranger = client(&stage.url, credential);
        stranger.health().await.unwrap();
        assert!(matches!(stranger.manifest().await, Err(ClientError::Credential(_))));
        assert!(matches!(stranger.public_key(&manifest).await, Err(ClientError::Credential(_))));
        let asked = stage.asks(&stage.owner, &job, &key);
        assert!(matches!(stranger.decrypt(asked).await, Err(ClientError::Credential(_))));
    }
}

#[tokio::test]
async fn a_worker_gets_keys_and_no_plaintext() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let worker = client(&stage.url, WORKER);
    let manifest = worker.manifest().await.unwrap();
    assert_eq!(manifest.signer, stage.manager);
    let signed = worker.signed_manifest().await.unwrap();
    let claim = NetworkKeyClaim { key_id: manifest.key_id, parameters: &manifest.parameters };
    assert_eq!(signed.signature.signer(claim.digest(stage.domain)).unwrap(), stage.manager);
    assert_eq!(worker.public_key(&manifest).await.unwrap().len() as u64, manifest.public_key.size);
    assert_eq!(worker.crs(&manifest).await.unwrap().len() as u64, manifest.crs.size);
    let evaluation_key = worker.evaluation_key(&manifest).await.unwrap();
    assert_eq!(evaluation_key.len() as u64, manifest.evaluation_key.size);
    let refused = worker.decrypt(stage.asks(&stage.owner, &job, &key)).await;
    assert!(matches!(refused, Err(ClientError::Credential(_))));
    // Bytes that the manifest does not name are not taken.
    let mut other = manifest.clone();
    other.crs.sha256.0[0] ^= 1;
    assert!(matches!(worker.crs(&other).await, Err(ClientError::Unusable(_))));
}

/// The key manager answers from the headers: were the message read first, the answer would be about it.
#[tokio::test]
async fn who_may_not_ask_is_told_before_the_message_is_read() {
    let stage = Stage::set().await;
    let channel = Endpoint::from_shared(stage.url.clone()).unwrap().connect().await.unwrap();
    for (credential, code) in [("wrong", Code::Unauthenticated), (WORKER, Code::PermissionDenied)] {
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        // A message that never ends.
        let never = stream::once(ready(DecryptRequest::default())).chain(stream::pending());
        let mut request = tonic::Request::new(never);
        request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().unwrap());
        let path = PathAndQuery::from_static("/zama.jobs.kms.v1.KeyManager/Decrypt");
        let codec = ProstCodec::<DecryptRequest, DecryptResponse>::default();
        let asked = grpc.client_streaming(request, path, codec);
        let refused = tokio::time::timeout(PATIENCE, asked).await.expect("an answer to the headers alone");
        assert_eq!(refused.unwrap_err().code(), code);
    }
    // A stranger's health check carries nothing, and nothing large is read.
    let large = tonic::Request::new(DecryptRequest { result: vec![0; 1024 * 1024], ..DecryptRequest::default() });
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/zama.jobs.kms.v1.KeyManager/Health");
    let refused = grpc.unary(large, path, ProstCodec::<DecryptRequest, DecryptResponse>::default()).await;
    refused.unwrap_err();
}
