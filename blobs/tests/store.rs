//! The store in a local folder: nothing is shared, nothing is half, nothing that was changed is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blobs::{BlobError, BlobHash, BlobStore, PutError, SystemKey, Terms};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jobs::{JobId, TenantId};

const LIMIT: u64 = 20 << 20;

fn opened() -> (tempfile::TempDir, BlobStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::in_folder(&folder.path().join("blobs")).unwrap();
    (folder, store)
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn chunked(bytes: &[u8]) -> impl futures::Stream<Item = io::Result<Bytes>> + use<> {
    let chunks: Vec<_> = bytes.chunks(70_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_was_put_is_read_by_its_tenant_alone() {
    let (_folder, store) = opened();
    let content: Vec<u8> = (0..12_000_000_u32).map(|i| ((i * 31) >> 3) as u8).collect();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let blob = store.put_stream(&acme, Terms::at_most(LIMIT), chunked(&content)).await.unwrap();
    assert_eq!((blob.sha256, blob.size), (BlobHash::of(&content), content.len() as u64));

    assert_eq!(store.head(&acme, blob.sha256).await.unwrap().size, blob.size);
    assert_eq!(store.get(&acme, blob.sha256, LIMIT).await.unwrap(), content);
    let read: Vec<Bytes> = store.stream(&acme, blob.sha256).await.unwrap().bytes.try_collect().await.unwrap();
    assert!(read.concat() == content);
    assert!(matches!(store.get(&acme, blob.sha256, 100).await, Err(BlobError::TooLarge { .. })));

    assert!(matches!(store.head(&other, blob.sha256).await, Err(BlobError::NotFound)));
    assert!(matches!(store.get(&other, blob.sha256, LIMIT).await, Err(BlobError::NotFound)));
    store.delete(&other, blob.sha256).await.unwrap();
    assert!(store.head(&acme, blob.sha256).await.is_ok());
    store.delete(&acme, blob.sha256).await.unwrap();
    store.delete(&acme, blob.sha256).await.unwrap();
    assert!(matches!(store.head(&acme, blob.sha256).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn the_same_bytes_at_once_are_one_object_a_tenant() {
    let (folder, store) = opened();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let content = vec![7; 300_000];
    let put = |tenant| store.put_stream(tenant, Terms::at_most(LIMIT), chunked(&content));
    let (a, b, c) = tokio::join!(put(&acme), put(&acme), put(&other));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(files(folder.path()).len(), 2);
    store.delete(&other, c.unwrap().sha256).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_stream_that_breaks_its_terms_leaves_nothing() {
    let (folder, store) = opened();
    let acme = tenant("acme");
    let large = store.put_stream(&acme, Terms::at_most(100_000), chunked(&[1; 100_001])).await;
    assert!(matches!(large, Err(PutError::TooLarge { limit: 100_000 })));

    let other = Terms::at_most(LIMIT).with_sha256(BlobHash::of(b"something else"));
    let content = chunked(b"this");
    assert!(matches!(store.put_stream(&acme, other, content).await, Err(PutError::OtherHash { actual })
        if actual == BlobHash::of(b"this")));

    let broken = chunked(&[1; 200_000]).chain(stream::iter([Err(io::Error::other("broke off"))]));
    assert!(matches!(store.put_stream(&acme, Terms::at_most(LIMIT), broken).await, Err(PutError::Source(_))));
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_a_crash_left_is_swept_when_it_is_old() {
    let (folder, store) = opened();
    let acme = tenant("acme");
    let kept = store.put(&acme, Bytes::from_static(b"kept")).await.unwrap();
    let incoming = folder.path().join("blobs/incoming");
    std::fs::write(incoming.join("0b2f#1"), b"half").unwrap();
    std::fs::write(incoming.join("0b30"), b"whole, never moved").unwrap();

    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap(), 2);
    assert!(files(&incoming).is_empty());
    assert!(store.get(&acme, kept.sha256, LIMIT).await.is_ok());
}

#[tokio::test]
async fn changed_bytes_are_refused() {
    let (folder, store) = opened();
    let acme = tenant("acme");
    let blob = store.put(&acme, Bytes::from(vec![5; 40_000])).await.unwrap();
    let file = folder.path().join(format!("blobs/tenants/acme/{}", blob.sha256));
    let mut content = std::fs::read(&file).unwrap();
    content[39_999] ^= 1;
    std::fs::write(&file, content).unwrap();

    assert!(matches!(store.get(&acme, blob.sha256, LIMIT).await, Err(BlobError::Changed { .. })));
    let read: Result<Vec<Bytes>, _> = store.stream(&acme, blob.sha256).await.unwrap().bytes.try_collect().await;
    assert!(matches!(read, Err(BlobError::Changed { expected }) if expected == blob.sha256));

    store.put(&acme, Bytes::from(vec![5; 40_000])).await.unwrap();
    assert!(store.get(&acme, blob.sha256, LIMIT).await.is_ok(), "putting it again repairs it");
}

#[tokio::test]
async fn results_and_checkpoints_are_the_service_own() {
    let (folder, store) = opened();
    let (job, other) = (JobId::generate(), JobId::generate());
    for step in [30, 4, 100] {
        let bytes = Bytes::from(step.to_string());
        store.put_system(&SystemKey::checkpoint(job, step), bytes).await.unwrap();
    }
    store.put_system(&SystemKey::checkpoint(other, 1), Bytes::from_static(b"other")).await.unwrap();
    assert_eq!(store.checkpoints(job).await.unwrap(), [4, 30, 100]);
    let read = store.get_system_verified(&SystemKey::checkpoint(job, 100), BlobHash::of(b"100"), 10).await;
    assert_eq!(read.unwrap(), "100");
    let mut jobs = store.jobs_with_checkpoints().await.unwrap();
    jobs.retain(|found| *found != other);
    assert_eq!(jobs, [job]);
    store.delete_checkpoints(job).await.unwrap();
    assert_eq!(store.jobs_with_checkpoints().await.unwrap(), [other]);
    assert!(store.checkpoints(job).await.unwrap().is_empty());
    assert_eq!(store.checkpoints(other).await.unwrap(), [1]);
    let folders = folder.path().join("blobs/system/checkpoints");
    let names = || std::fs::read_dir(&folders).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names().eq([other.to_string()]), "no empty folder is left");
    std::fs::create_dir(folders.join(JobId::generate().to_string())).unwrap();
    store.remove_empty_checkpoint_folders().await.unwrap();
    assert!(names().eq([other.to_string()]), "nor one that somebody left");
    assert_eq!(store.checkpoints(other).await.unwrap(), [1]);

    let hash = BlobHash::of(b"result");
    let key = SystemKey::result(job, hash);
    store.put_system(&key, Bytes::from_static(b"result")).await.unwrap();
    let other = BlobHash::of(b"another attempt's");
    store.put_system(&SystemKey::result(job, other), Bytes::from_static(b"another attempt's")).await.unwrap();
    assert_eq!(store.get_system_verified(&key, hash, 100).await.unwrap(), "result");
    let wrong = store.get_system_verified(&key, other, 100).await;
    assert!(matches!(wrong, Err(BlobError::Changed { .. })));
    assert!(matches!(store.head(&tenant("results"), hash).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_unavailable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = BlobStore::in_folder(&file.path().join("below-a-file")).unwrap();
    let put = store.put(&tenant("acme"), Bytes::from_static(b"x")).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
}

#[tokio::test]
async fn a_folder_that_somebody_made_a_link_is_not_followed() {
    let (folder, store) = opened();
    let (job, hash) = (JobId::generate(), BlobHash::of(b"result"));
    let (key, checkpoint) = (SystemKey::result(job, hash), SystemKey::checkpoint(job, 1));
    for key in [&key, &checkpoint] {
        store.put_system(key, Bytes::from_static(b"result")).await.unwrap();
    }
    let blob = store.put(&tenant("acme"), Bytes::from_static(b"blob")).await.unwrap();
    let (inside, outside) = (folder.path().join("blobs"), folder.path().join("outside"));
    let linked = |result: Result<(), BlobError>| match result {
        Err(BlobError::Unavailable(error)) => assert!(error.to_string().contains("symbolic link"), "{error}"),
        Err(BlobError::Folder(error)) => assert!(error.to_string().contains("symbolic link"), "{error}"),
        other => panic!("{other:?}"),
    };
    for (part, step) in [("system/results", 0), ("system/checkpoints", 1), ("tenants/acme", 2), ("incoming", 3)] {
        std::fs::create_dir_all(inside.join(part)).unwrap();
        std::fs::rename(inside.join(part), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join(part)).unwrap();
        let before = files(&outside);
        match step {
            0 => {
                linked(store.get_system_verified(&key, hash, 100).await.map(drop));
                linked(store.stream_system(&key, hash).await.map(drop));
                linked(store.put_system(&key, Bytes::from_static(b"other")).await);
                linked(store.delete_system(&key).await);
            }
            1 => {
                linked(store.checkpoints(job).await.map(drop));
                linked(store.jobs_with_checkpoints().await.map(drop));
                linked(store.remove_empty_checkpoint_folders().await);
            }
            2 => {
                linked(store.get(&tenant("acme"), blob.sha256, LIMIT).await.map(drop));
                linked(store.head(&tenant("acme"), blob.sha256).await.map(drop));
                linked(store.put(&tenant("acme"), Bytes::from_static(b"other")).await.map(drop));
                linked(store.delete(&tenant("acme"), blob.sha256).await);
            }
            _ => {
                linked(store.stage(Bytes::from_static(b"other")).await.map(drop));
                let upload = store.put_stream(&tenant("acme"), Terms::at_most(LIMIT), chunked(b"other")).await;
                assert!(matches!(upload, Err(PutError::Store(BlobError::Unavailable(_)))), "{upload:?}");
                std::fs::write(outside.join("somebody-s"), "file").unwrap();
                linked(store.sweep(Duration::ZERO).await.map(drop));
                assert!(outside.join("somebody-s").exists());
                continue;
            }
        }
        assert_eq!(files(&outside), before, "{part}");
        std::fs::remove_file(inside.join(part)).unwrap();
        std::fs::rename(&outside, inside.join(part)).unwrap();
    }
    assert_eq!(store.get_system_verified(&key, hash, 100).await.unwrap(), "result", "it is where it was");
}
