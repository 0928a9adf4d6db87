//! A job's inputs: the tenant's own blob, or what a public URL held when it was fetched, once. From then on only
//! (tenant, SHA-256) names them.

use anyhow::{Context, Result};
use blobs::remote::Fetcher;
use blobs::{BlobError, BlobHash, BlobStore, MAX_BLOB_BYTES};
use bytes::Bytes;
use jobs::fhe::EncryptedDataUrl;
use jobs::{JobId, TenantId, UserId};
use store::PgPool;
use store::fhe::inputs::{self as stored, JobInput};
use store::uploads::{Custody, Kind, NewUpload, Noted, Quota};

/// Reads inputs. Cheap to clone.
#[derive(Clone)]
pub struct Inputs {
    pub pool: PgPool,
    pub blobs: BlobStore,
    /// `None`: only blobs of this installation are inputs.
    pub fetcher: Option<Fetcher>,
    /// What is fetched becomes a blob of the tenant, which may have so many.
    pub quota: Quota,
}

/// Whose inputs, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct InputSource<'a> {
    pub job: JobId,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub url: &'a EncryptedDataUrl,
}

/// How often a URL is asked for a job's inputs.
const FETCHES: u32 = 3;

/// Why there are no inputs, and will be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputsRefused {
    /// The client's fault, in words for the client.
    Unfit(String),
    /// The tenant may not store what was fetched, in words for the client.
    Full(String),
    /// Ours: bytes that we had taken are gone or changed.
    Lost(String),
}

impl Inputs {
    /// Reads a job's inputs, and notes them before anything is computed on them.
    ///
    /// # Errors
    /// Database, blob store or the URL's server are away; inside, that the client's reference leads nowhere.
    pub async fn read(&self, source: InputSource<'_>) -> Result<Result<Bytes, InputsRefused>> {
        if let Some(noted) = stored::find(&self.pool, source.job).await? {
            return self.get_noted(source.tenant, noted.sha256).await;
        }
        let (sha256, inputs) = match source.url {
            EncryptedDataUrl::Blob(sha256) => match self.get(source.tenant, *sha256).await? {
                Ok(inputs) => (*sha256, inputs),
                Err(refused) => return Ok(Err(refused)),
            },
            EncryptedDataUrl::Remote(url) => match self.fetch(&source, url).await? {
                Ok(fetched) => return self.take(source, fetched).await,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let noted = stored::note(&self.pool, source.job, JobInput { sha256, size: inputs.len() as u64 }).await?;
        if noted.sha256 == sha256 { Ok(Ok(inputs)) } else { self.get_noted(source.tenant, noted.sha256).await }
    }

    /// Makes what was fetched a blob of the tenant, and the job's input at once: nobody can delete it in between.
    async fn take(&self, source: InputSource<'_>, fetched: Bytes) -> Result<Result<Bytes, InputsRefused>> {
        let staged = self.blobs.stage(fetched.clone()).await?;
        let (BlobHash(sha256), size) = (staged.blob().sha256, staged.blob().size);
        let mut custody = Custody::of(&self.pool, source.tenant).await?;
        let new = NewUpload { user: source.user, sha256, size };
        if let Noted::Full(stored) = custody.note(Kind::Blob, new, self.quota).await? {
            self.blobs.discard(&staged).await?;
            return Ok(Err(InputsRefused::Full(format!(
                "The inputs of {size} bytes find no place: the tenant has {} blobs of {} bytes in all, and may have {} of {} \
                 bytes.",
                stored.count, stored.bytes, self.quota.count, self.quota.bytes
            ))));
        }
        self.blobs.keep(source.tenant, &staged).await?;
        custody.note_input(source.job, JobInput { sha256, size }).await?;
        custody.release().await?;
        let noted = stored::find(&self.pool, source.job).await?.context("the input is gone")?;
        // Another attempt may have fetched other bytes first.
        if noted.sha256 == sha256 { Ok(Ok(fetched)) } else { self.get_noted(source.tenant, noted.sha256).await }
    }

    /// Inputs that were there once.
    async fn get_noted(&self, tenant: &TenantId, sha256: [u8; 32]) -> Result<Result<Bytes, InputsRefused>> {
        let lost = |refused| match refused {
            InputsRefused::Unfit(detail) | InputsRefused::Full(detail) | InputsRefused::Lost(detail) => {
                InputsRefused::Lost(detail)
            }
        };
        Ok(self.get(tenant, sha256).await?.map_err(lost))
    }

    async fn get(&self, tenant: &TenantId, sha256: [u8; 32]) -> Result<Result<Bytes, InputsRefused>> {
        let refused = |words: &str| Ok(Err(InputsRefused::Unfit(words.to_owned())));
        match self.blobs.get(tenant, BlobHash(sha256), MAX_BLOB_BYTES).await {
            Ok(inputs) => Ok(Ok(inputs)),
            Err(BlobError::NotFound) => refused("There is no such blob."),
            Err(BlobError::TooLarge { .. }) => refused("The blob is too large."),
            Err(error @ BlobError::Changed { .. }) => Ok(Err(InputsRefused::Lost(error.to_string()))),
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, source: &InputSource<'_>, url: &str) -> Result<Result<Bytes, InputsRefused>> {
        let unfit = |words: String| Ok(Err(InputsRefused::Unfit(words)));
        let Some(fetcher) = &self.fetcher else {
            return unfit("This service fetches no URLs; upload a blob.".to_owned());
        };
        let tries = stored::begin_fetch(&self.pool, source.job).await?;
        if tries > FETCHES {
            return unfit(format!("The inputs could not be fetched in {FETCHES} tries."));
        }
        match fetcher.fetch(url).await {
            Ok(inputs) => Ok(Ok(inputs)),
            Err(error) if error.is_permanent() => unfit(format!("The inputs cannot be fetched: {error}.")),
            Err(error) if tries == FETCHES => {
                unfit(format!("The inputs could not be fetched in {FETCHES} tries: {error}."))
            }
            Err(error) => Err(error.into()),
        }
    }
}
