//! The gRPC server behind its door: what is served, how keys are streamed, and how long anybody may take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::client::Certificates;
use crate::credentials::Credentials;
use crate::decryption::Decryptor;
use crate::door::{Door, Place};
use crate::keys::KeySet;
use crate::proto::key_manager_server::{KeyManager, KeyManagerServer};
use crate::proto::{self, CHUNK, Chunk, MAX_MESSAGE};
use crate::rules::request::{address, word};
use crate::rules::statement::Trust;
use crate::rules::witness::Witness;

/// Longest time from a call's headers to its answer, the message's way included. Streams take longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Calls at once on one connection.
const MAX_STREAMS: u32 = 64;
/// A caller that was silent for so long is asked whether it is still there ...
const KEEPALIVE: Duration = Duration::from_secs(20);
/// ... and has this long to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a key manager is made of.
pub struct Config {
    /// Its folder, see [`crate::keys::ensure`].
    pub data: PathBuf,
    pub keys: KeySet,
    pub credentials: Credentials,
    /// With them only clients whose certificate the authority signed are served.
    pub tls: Option<Certificates>,
    pub trust: Trust,
    pub witness: Witness,
}

/// Serves until told to stop.
///
/// # Errors
/// The folder is in use or cannot be written, or a certificate cannot be used.
pub async fn serve(listener: TcpListener, config: Config, stop: CancellationToken) -> Result<()> {
    let keys = Arc::new(config.keys);
    let manifest = (&keys.signed_manifest(config.trust.domain)?).into();
    let decryptor = Decryptor::open(&config.data, keys.clone(), config.trust, config.witness)?;
    let service = Service { keys, manifest, decryptor: Arc::new(decryptor) };
    let mut server = Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .tcp_keepalive(Some(KEEPALIVE));
    if let Some(tls) = config.tls {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(tls.certificate, tls.key))
            .client_ca_root(Certificate::from_pem(tls.authority));
        server = server.tls_config(tls).context("the key manager's certificates cannot be used")?;
    }
    let service =
        KeyManagerServer::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    server
        .layer(Door::new(config.credentials))
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await
        .context("Failed to serve")
}

/// Whoever gets here has passed the [`Door`].
struct Service {
    keys: Arc<KeySet>,
    manifest: proto::Manifest,
    decryptor: Arc<Decryptor>,
}

type Chunks = ReceiverStream<Result<Chunk, Status>>;

#[tonic::async_trait]
impl KeyManager for Service {
    async fn health(&self, _request: Request<proto::HealthRequest>) -> Result<Response<proto::HealthResponse>, Status> {
        Ok(Response::new(proto::HealthResponse {}))
    }

    async fn get_manifest(
        &self,
        _request: Request<proto::ManifestRequest>,
    ) -> Result<Response<proto::Manifest>, Status> {
        Ok(Response::new(self.manifest.clone()))
    }

    type GetPublicKeyStream = Chunks;

    async fn get_public_key(&self, _request: Request<proto::PublicKeyRequest>) -> Result<Response<Chunks>, Status> {
        stream(&self.keys.public_key).await
    }

    type GetCrsStream = Chunks;

    async fn get_crs(&self, _request: Request<proto::CrsRequest>) -> Result<Response<Chunks>, Status> {
        stream(&self.keys.crs).await
    }

    type GetEvaluationKeyStream = Chunks;

    async fn get_evaluation_key(
        &self,
        _request: Request<proto::EvaluationKeyRequest>,
    ) -> Result<Response<Chunks>, Status> {
        stream(&self.keys.evaluation_key).await
    }

    async fn has_access(
        &self,
        request: Request<proto::AccessRequest>,
    ) -> Result<Response<proto::AccessResponse>, Status> {
        let message = request.into_inner();
        let granted = self.decryptor.has_access(word(&message.leaf_hash)?, address(&message.account)?).await?;
        Ok(Response::new(proto::AccessResponse { granted }))
    }

    async fn decrypt(
        &self,
        mut request: Request<proto::DecryptRequest>,
    ) -> Result<Response<proto::DecryptResponse>, Status> {
        // Nobody gets here without a place; whoever did would find no door, and so gets nothing.
        let place = request.extensions_mut().remove::<Place>().ok_or_else(|| Status::internal("there is no place"))?;
        let answer = self.decryptor.clone().decrypt(request.into_inner(), place).await?;
        Ok(Response::new(proto::DecryptResponse {
            enc: answer.enc,
            ciphertext: answer.ciphertext,
            signature: answer.signature,
        }))
    }
}

/// Sends a file in chunks, as fast as the caller takes them.
async fn stream(path: &Path) -> Result<Response<Chunks>, Status> {
    let unreadable = |error: std::io::Error| {
        tracing::error!("Failed to read a key: {error}");
        Status::internal("a key cannot be read")
    };
    let mut file = File::open(path).await.map_err(unreadable)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let mut data = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(CHUNK as u64).read_to_end(&mut data).await;
            let chunk = match read {
                Ok(0) => break,
                Ok(_) => Ok(Chunk { data }),
                Err(error) => Err(unreadable(error)),
            };
            // A caller that went away needs no more.
            let is_last = chunk.is_err();
            if sender.send(chunk).await.is_err() || is_last {
                break;
            }
        }
    });
    Ok(Response::new(ReceiverStream::new(receiver)))
}
