//! Bytes on their way up.

use std::sync::{Arc, Mutex};

use super::service::{Service, hash};
use crate::encrypted::*;

#[tokio::test]
async fn uploads_come_from_memory_and_from_files_and_are_told_as_they_go() {
    let (_service, client) = Service::new().start().await;
    let bytes = vec![7; 200_000];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, &bytes).unwrap();
    for upload in [Upload::of_bytes(bytes.clone()), Upload::of_file(&file).await.unwrap()] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::clone(&told);
        let progress: OnBytes = Arc::new(move |bytes| teller.lock().expect("no panic").push(bytes));
        let blob = client.upload_blob(&upload, &progress).await.unwrap();
        assert_eq!((blob.sha256, blob.size), (hash(&bytes), 200_000));
        let told = told.lock().unwrap();
        assert!(told.len() > 1 && told.is_sorted() && told.last() == Some(&200_000), "{told:?}");
    }
    let missing = Upload::of_file(&folder.path().join("none")).await.unwrap_err();
    assert!(matches!(missing, EncryptedError::File { doing: "read", .. }), "{missing}");
}
