//! The key manager as the API and the FHE workers ask it: for the API, the connection of `kms` behind the trait of
//! `api`.

use ::api::NetworkKeys;
use ::api::key_manager::{Decryption, KeyFile, KeyManager, KeyManagerError, NetworkKey};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use futures::future::{BoxFuture, FutureExt as _};
use kms::{Access, Client, ClientError};
use retrieval::Answer;
use settings::Settings;

/// What the settings name, without connecting to it; `None` when they name none.
pub(crate) fn network_keys(settings: &Settings) -> Result<Option<NetworkKeys>> {
    Ok(of_api(settings)?.map(|client| NetworkKeys::new(std::sync::Arc::new(Remote(client)))))
}

/// The connection of the API, if the settings name a key manager.
pub(super) fn of_api(settings: &Settings) -> Result<Option<Client>> {
    let Some(access) = access(settings, &settings.kms.api_credential)? else { return Ok(None) };
    Client::new(&access).map(Some).context("kms.url cannot be used")
}

/// The connection of an FHE worker, which asks for keys alone.
pub(crate) fn of_worker(settings: &Settings) -> Result<Client> {
    let access = access(settings, &settings.kms.worker_credential)?;
    let access = access.context("kms.url is empty: an FHE worker has its keys from the key manager")?;
    Client::new(&access).context("kms.url cannot be used")
}

/// Where the key manager is and how we show who we are.
fn access(settings: &Settings, credential: &str) -> Result<Option<Access>> {
    let kms = &settings.kms;
    if kms.url.is_empty() {
        return Ok(None);
    }
    let tls = super::kms::certificates(kms)?;
    Ok(Some(Access { url: kms.url.clone(), credential: credential.to_owned(), tls }))
}

struct Remote(Client);

fn failure(error: ClientError) -> KeyManagerError {
    match error {
        ClientError::Refused { code, detail } => KeyManagerError::Refused { code, detail },
        ClientError::Chain(detail) => KeyManagerError::Chain(detail),
        other => KeyManagerError::Unavailable(other.to_string()),
    }
}

fn file(file: kms::KeyFile) -> KeyFile {
    KeyFile { sha256: file.sha256, size: file.size }
}

impl KeyManager for Remote {
    fn manifest(&self) -> BoxFuture<'_, Result<NetworkKey, KeyManagerError>> {
        let manifest = async {
            let kms::SignedManifest { manifest, signature } = self.0.signed_manifest().await.map_err(failure)?;
            Ok(NetworkKey {
                key_id: manifest.key_id,
                parameters: manifest.parameters,
                evaluation_key: file(manifest.evaluation_key),
                public_key: file(manifest.public_key),
                crs: file(manifest.crs),
                signer: manifest.signer,
                signature: signature.to_bytes(),
            })
        };
        manifest.boxed()
    }

    fn public_key(&self) -> BoxFuture<'_, Result<bytes::Bytes, KeyManagerError>> {
        let key = async {
            let manifest = self.0.manifest().await.map_err(failure)?;
            Ok(self.0.public_key(&manifest).await.map_err(failure)?.into())
        };
        key.boxed()
    }

    fn crs(&self) -> BoxFuture<'_, Result<bytes::Bytes, KeyManagerError>> {
        let crs = async {
            let manifest = self.0.manifest().await.map_err(failure)?;
            Ok(self.0.crs(&manifest).await.map_err(failure)?.into())
        };
        crs.boxed()
    }

    fn has_access(&self, leaf_hash: B256, account: Address) -> BoxFuture<'_, Result<bool, KeyManagerError>> {
        async move { self.0.has_access(leaf_hash, account).await.map_err(failure) }.boxed()
    }

    fn decrypt(&self, asked: Decryption) -> BoxFuture<'_, Result<Answer, KeyManagerError>> {
        let asked = kms::Decryption {
            result: asked.result.to_vec(),
            leaf: asked.leaf,
            inclusion: asked.inclusion,
            attestation: asked.attestation,
            attestation_signature: asked.attestation_signature.to_vec(),
            retrieval: asked.retrieval,
            retrieval_signature: asked.retrieval_signature.to_vec(),
            client_public_key: asked.client_public_key,
        };
        async move { self.0.decrypt(asked).await.map_err(failure) }.boxed()
    }
}
