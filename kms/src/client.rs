//! The key manager's client, for the API (decryption) and the workers (keys).

use std::time::Duration;

use retrieval::{Answer, Sealed};
use sha2::{Digest, Sha256};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Streaming};

use crate::convert::{Decryption, KeyFile, Manifest};
use crate::error::{ClientError, told};
use crate::proto::key_manager_client::KeyManagerClient;
use crate::proto::{self, Chunk, MAX_MESSAGE};

/// Reading a leaf from several chains' nodes and decrypting takes seconds at worst.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the key manager is and how a caller proves who it is.
#[derive(Clone)]
pub struct Access {
    /// `http://host:port`, or `https://` with certificates.
    pub url: String,
    /// Shared secret, sent as a bearer token; empty with certificates.
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
}

impl Client {
    /// A client of the key manager there. Does not connect yet.
    ///
    /// # Errors
    /// A URL, credential or certificate that cannot be used.
    pub fn new(access: &Access) -> Result<Self, ClientError> {
        let unusable = |error: tonic::transport::Error| ClientError::Unusable(told(&error));
        let mut endpoint = Endpoint::from_shared(access.url.clone()).map_err(unusable)?;
        endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
        if let Some(tls) = &access.tls {
            let config = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&tls.authority))
                .identity(Identity::from_pem(&tls.certificate, &tls.key));
            endpoint = endpoint.tls_config(config).map_err(unusable)?;
        }
        let inner = KeyManagerClient::new(endpoint.connect_lazy())
            .max_encoding_message_size(MAX_MESSAGE)
            .max_decoding_message_size(MAX_MESSAGE);
        Ok(Self { inner, authorization: authorization(&access.credential)? })
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
        self.inner.clone().get_manifest(self.request(proto::ManifestRequest {})).await?.into_inner().try_into()
    }

    /// The compact public key, safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// It is away, refuses the credential, or sends other bytes than its manifest names.
    pub async fn public_key(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_public_key(self.request(proto::PublicKeyRequest {})).await?;
        whole(stream.into_inner(), manifest.public_key).await
    }

    /// The proofs' common reference string, safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// As [`Client::public_key`].
    pub async fn crs(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_crs(self.request(proto::CrsRequest {})).await?;
        whole(stream.into_inner(), manifest.crs).await
    }

    /// The compressed evaluation key (76 MB), safe-serialised, checked against the manifest.
    ///
    /// # Errors
    /// As [`Client::public_key`].
    pub async fn evaluation_key(&self, manifest: &Manifest) -> Result<Vec<u8>, ClientError> {
        let stream = self.inner.clone().get_evaluation_key(self.request(proto::EvaluationKeyRequest {})).await?;
        whole(stream.into_inner(), manifest.evaluation_key).await
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

/// Reads a stream to its end and refuses anything but the named bytes.
async fn whole(mut stream: Streaming<Chunk>, expected: KeyFile) -> Result<Vec<u8>, ClientError> {
    let wrong = || ClientError::Unusable("it sends other bytes than its manifest names".to_owned());
    let size = usize::try_from(expected.size).map_err(|_| wrong())?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.message().await? {
        if bytes.len() + chunk.data.len() > size {
            return Err(wrong());
        }
        bytes.extend_from_slice(&chunk.data);
    }
    let same = bytes.len() == size && Sha256::digest(&bytes).as_slice() == expected.sha256.as_slice();
    if same { Ok(bytes) } else { Err(wrong()) }
}
