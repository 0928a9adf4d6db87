//! The key manager's client, for the API (decryption) and the workers (keys).

use std::time::Duration;

use alloy::primitives::{Address, B256};
use retrieval::{Answer, Sealed};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Streaming};

use crate::convert::{Decryption, KeyFile, Manifest, SignedManifest};
use crate::error::{ClientError, told};
use crate::proto::key_manager_client::KeyManagerClient;
use crate::proto::{self, Chunk, MAX_MESSAGE};

/// Reading a leaf from several chains' nodes and decrypting takes seconds at worst.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A key's next bytes may take so long. [`TIMEOUT`] ends with the head of the answer.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// A key manager that was silent for so long is asked whether it is still there ...
const KEEPALIVE: Duration = Duration::from_secs(20);
/// ... and has this long to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the key manager is and how a caller proves who it is.
#[derive(Clone)]
pub struct Access {
    /// `http://host:port`, or `https://` with certificates.
    pub url: String,
    /// Shared secret, sent as a bearer token, over mTLS too.
    pub credential: String,
    /// PEM files' contents for mTLS.
    pub tls: Option<Certificates>,
}

/// Contents of PEM files.
#[derive(Clone)]
pub struct Certificates {
    /// Our own chain.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Who signs the other side's.
    pub authority: String,
}

/// A connection that is made when it is first needed and again when it broke. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: KeyManagerClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    chunk_timeout: Duration,
}

impl Client {
    /// A client of the key manager there. Does not connect yet.
    ///
    /// # Errors
    /// A URL, credential or certificate that cannot be used.
    pub fn new(access: &Access) -> Result<Self, ClientError> {
        let unusable = |error: tonic::transport::Error| ClientError::Unusable(told(&error));
        let mut endpoint = Endpoint::from_shared(access.url.clone()).map_err(unusable)?;
        endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .tcp_keepalive(Some(KEEPALIVE))
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        if let Some(tls) = &access.tls {
            let config = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&tls.authority))
                .identity(Identity::from_pem(&tls.certificate, &tls.key));
            endpoint = endpoint.tls_config(config).map_err(unusable)?;
        }
        let inner = KeyManagerClient::new(endpoint.connect_lazy())
            .max_encoding_message_size(MAX_MESSAGE)
            .max_decoding_message_size(MAX_MESSAGE);
        Ok(Self { inner, authorization: authorization(&access.credential)?, chunk_timeout: CHUNK_TIMEOUT })
    }

    /// Whether it serves.
    ///
    /// # Errors
    /// It does not.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.inner.clone().health(proto::HealthRequest {}).await?;
        Ok(())
    }

    /// Which keys it holds.
    ///
    /// # Errors
    /// It is away, or refuses the credential.
    pub async fn manifest(&self) -> Result<Manifest, ClientError> {
        Ok(self.signed_manifest().await?.manifest)
    }

    /// As [`Client::manifest`], with the signature that clients check.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub async fn signed_manifest(&self) -> Result<SignedManifest, ClientError> {
        self.inner.clone().get_manifest(self.request(proto::ManifestRequest {})).await?.into_inner().try_into()
    }

    /// The compact public key, safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// It is away, refuses the credential, or sends other bytes than its manifest names.
    pub async fn public_key(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_public_key(self.request(proto::PublicKeyRequest {})).await?;
        self.whole(stream.into_inner(), manifest.public_key).await
    }

    /// The proofs' common reference string, safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// As [`Client::public_key`].
    pub async fn crs(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_crs(self.request(proto::CrsRequest {})).await?;
        self.whole(stream.into_inner(), manifest.crs).await
    }

    /// The compressed evaluation key (76 MB), safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// As [`Client::public_key`].
    pub async fn evaluation_key(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_evaluation_key(self.request(proto::EvaluationKeyRequest {})).await?;
        self.whole(stream.into_inner(), manifest.evaluation_key).await
    }

    /// Whether the submitter in the leaf of this hash has granted `account` access, as the key manager's nodes say.
    ///
    /// # Errors
    /// It is away, refuses the credential, or cannot read the chain.
    pub async fn has_access(&self, leaf_hash: B256, account: Address) -> Result<bool, ClientError> {
        let message = proto::AccessRequest { leaf_hash: leaf_hash.to_vec(), account: account.to_vec() };
        Ok(self.inner.clone().has_access(self.request(message)).await?.into_inner().granted)
    }

    /// Asks for a result to be decrypted and sealed to the owner's key.
    ///
    /// # Errors
    /// [`ClientError::Refused`] names the rule by its code; else the key manager is away or refuses the credential.
    pub async fn decrypt(&self, asked: Decryption) -> Result<Answer, ClientError> {
        let (job_id, result_hash) = (asked.retrieval.job_id, asked.leaf.result_hash);
        let request = self.request(proto::DecryptRequest::from(asked));
        let answer = self.inner.clone().decrypt(request).await?.into_inner();
        let sealed = Sealed { enc: answer.enc, ciphertext: answer.ciphertext };
        Ok(Answer::sealed(job_id, result_hash, sealed, answer.signature))
    }

    /// Reads a stream to its end and refuses anything but the named bytes.
    async fn whole(&self, mut stream: Streaming<Chunk>, expected: KeyFile) -> Result<Vec<u8>, ClientError> {
        let wrong = || ClientError::Unusable("it sends other bytes than its manifest names".to_owned());
        let silent = |_| ClientError::Unavailable("it stopped in the middle of a key".to_owned());
        let size = usize::try_from(expected.size).map_err(|_| wrong())?;
        let mut bytes = Vec::new();
        while let Some(chunk) = timeout(self.chunk_timeout, stream.message()).await.map_err(silent)?? {
            if bytes.len() + chunk.data.len() > size {
                return Err(wrong());
            }
            bytes.extend_from_slice(&chunk.data);
        }
        let same = bytes.len() == size && Sha256::digest(&bytes).as_slice() == expected.sha256.as_slice();
        if same { Ok(bytes) } else { Err(wrong()) }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

fn authorization(credential: &str) -> Result<Option<MetadataValue<Ascii>>, ClientError> {
    if credential.is_empty() {
        return Ok(None);
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {credential}")
        .parse()
        .map_err(|_| ClientError::Unusable("the credential has characters that no header carries".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::stream::{self, Stream, StreamExt as _};
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::Server;
    use tonic::{Response, Status};

    use super::*;
    use crate::proto::key_manager_server::{KeyManager, KeyManagerServer};

    type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

    /// Sends the beginning of a key, and then nothing: as a machine that lost its power.
    struct Stalled;

    fn beginning() -> Response<Chunks> {
        Response::new(stream::iter([Ok(Chunk { data: vec![1] })]).chain(stream::pending()).boxed())
    }

    #[tonic::async_trait]
    impl KeyManager for Stalled {
        async fn health(&self, _: Request<proto::HealthRequest>) -> Result<Response<proto::HealthResponse>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn get_manifest(&self, _: Request<proto::ManifestRequest>) -> Result<Response<proto::Manifest>, Status> {
            Err(Status::unimplemented(""))
        }

        type GetPublicKeyStream = Chunks;

        async fn get_public_key(&self, _: Request<proto::PublicKeyRequest>) -> Result<Response<Chunks>, Status> {
            Ok(beginning())
        }

        type GetCrsStream = Chunks;

        async fn get_crs(&self, _: Request<proto::CrsRequest>) -> Result<Response<Chunks>, Status> {
            Ok(beginning())
        }

        type GetEvaluationKeyStream = Chunks;

        async fn get_evaluation_key(
            &self,
            _: Request<proto::EvaluationKeyRequest>,
        ) -> Result<Response<Chunks>, Status> {
            Ok(beginning())
        }

        async fn has_access(
            &self,
            _: Request<proto::AccessRequest>,
        ) -> Result<Response<proto::AccessResponse>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn decrypt(&self, _: Request<proto::DecryptRequest>) -> Result<Response<proto::DecryptResponse>, Status> {
            Err(Status::unimplemented(""))
        }
    }

    #[tokio::test]
    async fn a_key_that_stops_in_the_middle_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder().add_service(KeyManagerServer::new(Stalled));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let mut client = Client::new(&Access { url, credential: String::new(), tls: None }).unwrap();
        client.chunk_timeout = Duration::from_millis(50);
        let file = KeyFile { sha256: B256::ZERO, size: 2 };
        let manifest = Manifest {
            key_id: B256::ZERO,
            evaluation_key: file,
            public_key: file,
            crs: file,
            parameters: String::new(),
            signer: Address::ZERO,
        };
        for outcome in
            [client.evaluation_key(&manifest).await, client.public_key(&manifest).await, client.crs(&manifest).await]
        {
            assert!(matches!(&outcome, Err(ClientError::Unavailable(why)) if why.contains("middle")), "{outcome:?}");
        }
    }
}
