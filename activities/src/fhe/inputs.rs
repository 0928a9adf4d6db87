//! A job's inputs: the tenant's own blob, or what a public URL held when it was fetched, once. From then on only
//! (tenant, SHA-256) names them.

use anyhow::Result;
use blobs::remote::Fetcher;
use blobs::{BlobError, BlobHash, BlobStore, MAX_BLOB_BYTES};
use bytes::Bytes;
use jobs::fhe::EncryptedDataUrl;
use jobs::{JobId, TenantId, UserId};
use store::PgPool;
use store::fhe::inputs::{self as stored, JobInput};
use store::uploads::NewUpload;

/// Reads inputs. Cheap to clone.
#[derive(Clone)]
pub struct Inputs {
    pub pool: PgPool,
    pub blobs: BlobStore,
    /// `None`: only blobs of this installation are inputs.
    pub fetcher: Option<Fetcher>,
}

/// Whose inputs, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct InputSource<'a> {
    pub job: JobId,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub url: &'a EncryptedDataUrl,
}

/// Why there are no inputs: the client's fault, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputsRefused(pub String);

impl Inputs {
    /// Reads a job's inputs, and notes them before anything is computed on them.
    ///
    /// # Errors
    /// Database, blob store or the URL's server are away; inside, that the client's reference leads nowhere.
    pub async fn read(&self, source: InputSource<'_>) -> Result<Result<Bytes, InputsRefused>> {
        if let Some(noted) = stored::find(&self.pool, source.job).await? {
            return self.get(source.tenant, noted.sha256).await;
        }
        let (sha256, inputs) = match source.url {
            EncryptedDataUrl::Blob(sha256) => match self.get(source.tenant, *sha256).await? {
                Ok(inputs) => (*sha256, inputs),
                Err(refused) => return Ok(Err(refused)),
            },
            EncryptedDataUrl::Remote(url) => match self.fetch(&source, url).await? {
                Ok(fetched) => fetched,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let noted = stored::note(&self.pool, source.job, JobInput { sha256, size: inputs.len() as u64 }).await?;
        // Another attempt may have fetched other bytes first.
        if noted.sha256 == sha256 { Ok(Ok(inputs)) } else { self.get(source.tenant, noted.sha256).await }
    }

    async fn get(&self, tenant: &TenantId, sha256: [u8; 32]) -> Result<Result<Bytes, InputsRefused>> {
        let refused = |words: &str| Ok(Err(InputsRefused(words.to_owned())));
        match self.blobs.get(tenant, BlobHash(sha256), MAX_BLOB_BYTES).await {
            Ok(inputs) => Ok(Ok(inputs)),
            Err(BlobError::NotFound) => refused("There is no such blob."),
            Err(BlobError::TooLarge { .. }) => refused("The blob is too large."),
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, source: &InputSource<'_>, url: &str) -> Result<Result<([u8; 32], Bytes), InputsRefused>> {
        let Some(fetcher) = &self.fetcher else {
            return Ok(Err(InputsRefused("This service fetches no URLs; upload a blob.".to_owned())));
        };
        let inputs = match fetcher.fetch(url).await {
            Ok(inputs) => inputs,
            Err(error) if error.is_permanent() => {
                return Ok(Err(InputsRefused(format!("The inputs cannot be fetched: {error}."))));
            }
            Err(error) => return Err(error.into()),
        };
        let blob = self.blobs.put(source.tenant, inputs.clone()).await?;
        let new = NewUpload { tenant: source.tenant, user: source.user, sha256: blob.sha256.0, size: blob.size };
        store::blobs::note(&self.pool, new).await?;
        Ok(Ok((blob.sha256.0, inputs)))
    }
}
