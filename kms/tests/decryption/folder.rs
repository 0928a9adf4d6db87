//! The key manager's folder: made once, closed to others, secret keys encrypted.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use kms::at_rest::StorageSecret;
use kms::keys::{KeySet, Origin, Step, ensure};
use retrieval::Signer;

use crate::stage::{SECRET_OF_FOLDER, keys, keys_folder};

fn secret() -> StorageSecret {
    StorageSecret::new(SECRET_OF_FOLDER.to_owned())
}

/// A folder with the tests' keys, as a first start leaves it.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    opened(&folder).unwrap();
    (parent, folder)
}

fn opened(folder: &Path) -> anyhow::Result<KeySet> {
    keys();
    ensure(folder, &secret(), &Origin::CopyOf(keys_folder()), &|_| {})
}

fn refused(opened: anyhow::Result<KeySet>) -> String {
    format!("{:#}", opened.err().expect("it is refused"))
}

#[test]
fn the_next_start_makes_nothing_and_finds_the_same_keys() {
    let (_parent, folder) = filled();
    let steps = RefCell::new(Vec::new());
    let again = ensure(&folder, &secret(), &Origin::Fresh, &|step: Step| steps.borrow_mut().push(step)).unwrap();
    assert_eq!(again.manifest(), keys().manifest());
    assert!(steps.borrow().is_empty(), "{steps:?}");
}

#[test]
fn the_secret_keys_lie_there_encrypted() {
    let (_parent, folder) = filled();
    let read = |name: &str| fs::read(folder.join("keys").join(name)).unwrap();
    // A key of tfhe is mostly zeros and ones in words of eight bytes; what is encrypted has each byte alike.
    let client_key = read("client-key.sealed");
    let zeros = client_key.iter().filter(|byte| **byte == 0).count();
    assert!(client_key.len() > 10_000 && zeros < client_key.len() / 100, "{zeros} of {}", client_key.len());
    let signer = read("signer.sealed");
    let of = |window: &[u8]| Signer::from_bytes(&B256::from_slice(window)).map(|signer| signer.address());
    assert!(signer.len() > 32 && signer.windows(32).all(|window| of(window) != Some(keys().manifest().signer)));
    for name in ["client-key.sealed", "signer.sealed"] {
        let mode = fs::metadata(folder.join("keys").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let other = StorageSecret::new("another".to_owned());
    assert!(refused(ensure(&folder, &other, &Origin::Fresh, &|_| {})).contains("client-key.sealed"));
}

#[test]
fn a_folder_that_others_enter_is_refused() {
    let (_parent, folder) = filled();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(refused(opened(&folder)).contains("chmod 700"));
}

#[test]
fn a_file_that_was_changed_or_is_gone_is_named() {
    let (_parent, folder) = filled();
    for name in ["crs.bin", "signer.sealed", "manifest.json"] {
        let file = folder.join("keys").join(name);
        let good = fs::read(&file).unwrap();
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&file, changed).unwrap();
        assert!(refused(opened(&folder)).contains(name), "{name} was changed");
        fs::remove_file(&file).unwrap();
        assert!(refused(opened(&folder)).contains(name), "{name} is gone");
        fs::write(&file, good).unwrap();
    }
    opened(&folder).unwrap();
}

#[test]
fn what_a_start_left_half_made_is_made_anew() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    fs::create_dir_all(folder.join("keys.new")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(folder.join("keys.new/crs.bin"), b"half").unwrap();
    assert_eq!(opened(&folder).unwrap().manifest(), keys().manifest());
    assert!(!folder.join("keys.new").exists());
}

#[test]
fn two_starts_at_once_find_one_set_of_keys() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    keys();
    std::thread::scope(|scope| {
        let starts = [0, 1].map(|_| scope.spawn(|| opened(&folder).unwrap()));
        let [one, other] = starts.map(|start| start.join().unwrap());
        assert_eq!(one.manifest(), other.manifest());
    });
}
