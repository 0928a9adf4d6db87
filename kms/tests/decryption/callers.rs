//! Who may call what.

use kms::ClientError;
use retrieval::{NetworkKeyClaim, RecipientKey};

use crate::stage::{Stage, WORKER, client};

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
