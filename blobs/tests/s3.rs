//! The store in an S3 bucket, at a server that speaks S3 (moto): what holds of a folder holds of a bucket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use blobs::{BlobError, BlobHash, BlobStore, Config, PutError, S3, SystemKey, Terms};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jobs::{JobId, TenantId};

const LIMIT: u64 = 20 << 20;
const BUCKET: &str = "zama-jobs";

/// A server with one empty bucket.
struct Server {
    child: Child,
    origin: String,
}

impl Server {
    async fn start() -> Self {
        let folder = env!("CARGO_MANIFEST_DIR");
        let environment = Command::new(format!("{folder}/../tools/python-env.sh"))
            .arg(format!("{folder}/tests/s3/requirements.txt"))
            .output()
            .unwrap();
        assert!(environment.status.success(), "{environment:?}");
        let program = format!("{}/bin/moto_server", String::from_utf8(environment.stdout).unwrap().trim());
        let mut child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let origin = loop {
            let mut line = String::new();
            assert!(told.read_line(&mut line).unwrap() > 0, "it ended before it said where it runs");
            if let Some((_, origin)) = line.split_once("Running on ") {
                break origin.trim().to_owned();
            }
        };
        // It goes on telling of requests.
        std::thread::spawn(move || std::io::copy(&mut told.by_ref(), &mut std::io::sink()));
        let server = Self { child, origin };
        let made = reqwest::Client::builder().no_proxy().build().unwrap();
        let made = made.put(format!("{}/{BUCKET}", server.origin)).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
        server
    }

    /// Its bucket, below a prefix.
    fn store(&self, prefix: &str) -> BlobStore {
        self.opened(&format!("s3://{BUCKET}/{prefix}"))
    }

    fn opened(&self, url: &str) -> BlobStore {
        let s3 = S3 {
            endpoint: self.origin.clone(),
            region: "eu-west-1".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            allow_http: true,
        };
        BlobStore::open(&Config { url: url.to_owned(), s3 }).unwrap()
    }

    /// What a listing of the bucket names.
    async fn keys(&self) -> Vec<String> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let list = client.get(format!("{}/{BUCKET}?list-type=2", self.origin)).send().await.unwrap();
        let list = list.text().await.unwrap();
        list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn chunked(bytes: &[u8]) -> impl futures::Stream<Item = std::io::Result<Bytes>> + use<> {
    let chunks: Vec<_> = bytes.chunks(70_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

#[tokio::test]
async fn a_bucket_keeps_what_a_folder_keeps() {
    let server = Server::start().await;
    let store = server.store("production");
    let (acme, other) = (tenant("acme"), tenant("other"));

    // More than one part of an upload.
    let content: Vec<u8> = (0..12_000_000_u32).map(|i| ((i * 31) >> 3) as u8).collect();
    let blob = store.put_stream(&acme, Terms::at_most(LIMIT), chunked(&content)).await.unwrap();
    assert_eq!((blob.sha256, blob.size), (BlobHash::of(&content), content.len() as u64));
    assert_eq!(store.head(&acme, blob.sha256).await.unwrap().size, blob.size);
    assert!(store.get(&acme, blob.sha256, LIMIT).await.unwrap() == content);
    let read: Vec<Bytes> = store.stream(&acme, blob.sha256).await.unwrap().bytes.try_collect().await.unwrap();
    assert!(read.concat() == content);
    assert!(matches!(store.get(&acme, blob.sha256, 100).await, Err(BlobError::TooLarge { .. })));
    assert!(matches!(store.head(&other, blob.sha256).await, Err(BlobError::NotFound)));
    assert!(matches!(server.store("staging").head(&acme, blob.sha256).await, Err(BlobError::NotFound)));
    assert_eq!(server.keys().await, [format!("production/tenants/acme/{}", blob.sha256)], "and nothing half");

    let large = store.put_stream(&acme, Terms::at_most(100_000), chunked(&[1; 100_001])).await;
    assert!(matches!(large, Err(PutError::TooLarge { limit: 100_000 })));
    let wrong = Terms::at_most(LIMIT).with_sha256(BlobHash::of(b"something else"));
    assert!(matches!(store.put_stream(&acme, wrong, chunked(b"this")).await, Err(PutError::OtherHash { .. })));
    let broken = chunked(&content).chain(stream::iter([Err(std::io::Error::other("broke off"))]));
    assert!(matches!(store.put_stream(&acme, Terms::at_most(LIMIT), broken).await, Err(PutError::Source(_))));
    assert_eq!(server.keys().await.len(), 1, "what broke its terms left nothing");

    store.delete(&acme, blob.sha256).await.unwrap();
    store.delete(&acme, blob.sha256).await.unwrap();
    assert!(matches!(store.head(&acme, blob.sha256).await, Err(BlobError::NotFound)));

    let staged = store.stage(Bytes::from_static(b"never kept")).await.unwrap();
    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), 0, "it may still be on its way");
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap(), 1);
    assert!(store.keep(&acme, &staged).await.is_err(), "it is gone");

    let (job, hash) = (JobId::generate(), BlobHash::of(b"4"));
    for step in [30_u32, 4] {
        store.put_system(&SystemKey::checkpoint(job, step), Bytes::from(step.to_string())).await.unwrap();
    }
    assert_eq!(store.checkpoints(job).await.unwrap(), [4, 30]);
    let kept = store.get_system_verified(&SystemKey::checkpoint(job, 4), hash, 10).await.unwrap();
    assert_eq!(kept, "4");
    assert_eq!(store.jobs_with_checkpoints().await.unwrap(), [job]);
    store.delete_checkpoints(job).await.unwrap();
    assert!(server.keys().await.is_empty());
}

#[tokio::test]
async fn a_bucket_that_is_away_is_unavailable_and_one_that_is_not_there_is_told() {
    let server = Server::start().await;
    let acme = tenant("acme");
    let (there, missing) = (server.store("x"), server.opened("s3://missing/x"));
    let put = missing.put(&acme, Bytes::from_static(b"1")).await.unwrap_err();
    assert!(put.is_unavailable(), "nobody asked for an object: {put:?}");
    let put = missing.put_stream(&acme, Terms::at_most(LIMIT), chunked(b"1")).await;
    assert!(matches!(&put, Err(PutError::Store(error)) if error.is_unavailable()), "{put:?}");
    drop(server);
    let away = there.put(&acme, Bytes::from_static(b"1")).await.unwrap_err();
    assert!(away.is_unavailable(), "{away:?}");
    assert!(there.head(&acme, BlobHash::of(b"1")).await.is_err_and(|error| error.is_unavailable()));
}
