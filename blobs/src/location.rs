//! Which store `blobs.url` names: a local folder or an S3 bucket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::BlobError;
use crate::unlinked::Unlinked;

/// A request waits for the store no longer than this, repeats included.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// Where blobs are kept.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `file:///folder`, `file://folder` (relative to the working folder) or `s3://bucket/prefix`.
    pub url: String,
    pub s3: S3,
}

/// How an S3 bucket is reached. What is empty comes from the usual `AWS_*` variables.
#[derive(Clone, Default)]
pub struct S3 {
    /// Origin of an S3-compatible service; empty is Amazon's of the region.
    pub endpoint: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Whether the endpoint may be plain http.
    pub allow_http: bool,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint).field("region", &self.region).finish_non_exhaustive()
    }
}

/// An opened store, and its folder when it is a local one.
pub(crate) struct Opened {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) folder: Option<PathBuf>,
}

/// Opens without touching: a store that is away is noticed when it is used.
pub(crate) fn open(config: &Config) -> Result<Opened, BlobError> {
    match config.url.split_once("://") {
        Some(("file", path)) if !path.is_empty() => local(path),
        Some(("s3", rest)) => s3(rest, &config.s3),
        _ => Err(BlobError::Location(format!("{} is neither file://FOLDER nor s3://BUCKET/PREFIX", config.url))),
    }
}

fn local(path: &str) -> Result<Opened, BlobError> {
    let folder = std::path::absolute(path).map_err(BlobError::Folder)?;
    let prefix = Path::from_absolute_path(&folder).map_err(|error| BlobError::Location(error.to_string()))?;
    let files = LocalFileSystem::new().with_fsync(true);
    let objects = Unlinked::new(PrefixStore::new(files, prefix), &folder);
    Ok(Opened { objects: Arc::new(objects), folder: Some(folder) })
}

fn s3(rest: &str, config: &S3) -> Result<Opened, BlobError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(BlobError::Location("the bucket is missing".to_owned()));
    }
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(ClientOptions::new().with_connect_timeout(CONNECT).with_allow_http(config.allow_http))
        .with_retry(RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..RetryConfig::default() });
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(&config.endpoint);
    }
    if !config.region.is_empty() {
        builder = builder.with_region(&config.region);
    }
    if !config.access_key_id.is_empty() {
        builder = builder.with_access_key_id(&config.access_key_id).with_secret_access_key(&config.secret_access_key);
    }
    let bucket = builder.build().map_err(|error| BlobError::Location(error.to_string()))?;
    Ok(Opened { objects: Arc::new(PrefixStore::new(bucket, prefix)), folder: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Result<Opened, BlobError> {
        let s3 = S3 { region: "eu-west-3".to_owned(), ..S3::default() };
        open(&Config { url: url.to_owned(), s3 })
    }

    #[test]
    fn folders_and_buckets_are_known_by_their_scheme() {
        assert_eq!(at("file:///srv/blobs").unwrap().folder.unwrap(), PathBuf::from("/srv/blobs"));
        assert!(at("file://.zama/blobs").unwrap().folder.unwrap().is_absolute());
        assert!(at("s3://bucket/prefix").unwrap().folder.is_none());
        for bad in ["", "/srv/blobs", "file://", "s3://", "gs://bucket"] {
            assert!(matches!(at(bad), Err(BlobError::Location(_))), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let s3 = S3 { secret_access_key: "hush".to_owned(), ..S3::default() };
        assert!(!format!("{s3:?}").contains("hush"));
    }
}
