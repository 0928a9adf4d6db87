//! The folder: its layout, who may enter it, and the first start that fills it.
//!
//! ```text
//! keys/   manifest.json  public-key.bin  crs.bin  evaluation-key.bin     served
//!         client-key.sealed  signer.sealed                               never leave, encrypted
//! nonces.redb   audit.log                                                written while serving
//! ```
//! `keys` appears by one rename, so that it is there whole or not at all.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use anyhow::{Context, Result, ensure};
use fhe::keys::{KeyId, SecretKey, Stage};
use retrieval::Signer;

use super::manifest::ManifestFile;
use super::{KeySet, make};
use crate::at_rest::{Purpose, StorageSecret, open};
use crate::convert::KeyFile;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const PUBLIC_KEY: &str = "public-key.bin";
pub(super) const CRS: &str = "crs.bin";
pub(super) const EVALUATION_KEY: &str = "evaluation-key.bin";
pub(super) const CLIENT_KEY: &str = "client-key.sealed";
pub(super) const SIGNER: &str = "signer.sealed";

/// Where keys come from when there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// New ones: some twelve seconds on two cores.
    Fresh,
    /// A data folder that was filled before, with the same storage secret. For development: two key managers share
    /// their keys then.
    CopyOf(PathBuf),
}

/// What the first start is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This key is being made.
    Making(Stage),
    Copying,
    Writing,
}

impl Step {
    /// How many steps making keys takes.
    pub const ALL: usize = Stage::ALL.len() + 1;

    /// How many of them are done when this one begins.
    #[must_use]
    pub fn done_before(self) -> usize {
        match self {
            Self::Making(stage) => Stage::ALL.iter().take_while(|earlier| **earlier != stage).count(),
            Self::Copying => 0,
            Self::Writing => Stage::ALL.len(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Making(stage) => write!(f, "making the {}", stage.label()),
            Self::Copying => f.write_str("copying keys"),
            Self::Writing => f.write_str("writing the keys"),
        }
    }
}

/// Makes the folder and its keys if they are not there, loads and checks them.
///
/// # Errors
/// Others may enter the folder, another process is filling it, a file is missing or damaged, or the storage secret is
/// another one.
pub fn ensure(data: &Path, secret: &StorageSecret, origin: &Origin, progress: &dyn Fn(Step)) -> Result<KeySet> {
    private_folder(data)?;
    let keys = data.join("keys");
    let lock = File::create(data.join("lock")).context("Failed to lock the key manager's folder")?;
    // Whoever waits here finds the keys of whoever was first.
    lock.lock().context("Failed to lock the key manager's folder")?;
    if !keys.exists() {
        let fresh = data.join("keys.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).with_context(|| format!("Failed to remove {}", fresh.display()))?;
        }
        private_folder(&fresh)?;
        match origin {
            Origin::Fresh => make::make(&fresh, secret, progress)?,
            Origin::CopyOf(folder) => make::copy(&folder.join("keys"), &fresh, progress)?,
        }
        // Its entries before its name: a crash leaves all of them, or no `keys`.
        sync_folder(&fresh)?;
        fs::rename(&fresh, &keys).with_context(|| format!("Failed to make {}", keys.display()))?;
        sync_folder(data)?;
    }
    load(&keys, secret)
}

fn load(keys: &Path, secret: &StorageSecret) -> Result<KeySet> {
    let manifest = read(&keys.join(MANIFEST))?;
    let manifest: ManifestFile = serde_json::from_slice(&manifest).context("manifest.json is not valid")?;
    let manifest = manifest.into_manifest().context("manifest.json is of another version")?;
    let public = |name: &str, expected: KeyFile| {
        let path = keys.join(name);
        let bytes = read(&path)?;
        ensure!(make::file(&bytes) == expected, "{} is not the file that manifest.json names", path.display());
        anyhow::Ok((path, bytes))
    };
    let (evaluation_key, evaluation_bytes) = public(EVALUATION_KEY, manifest.evaluation_key)?;
    let (public_key, public_bytes) = public(PUBLIC_KEY, manifest.public_key)?;
    let (crs, crs_bytes) = public(CRS, manifest.crs)?;
    let key_id = KeyId::network(&evaluation_bytes, &public_bytes, &crs_bytes);
    ensure!(key_id.0 == manifest.key_id.0, "manifest.json names another key id than its files have");

    let unseal = |name: &str, purpose| {
        let path = keys.join(name);
        open(secret, purpose, &read(&path)?).with_context(|| format!("Failed to open {}", path.display()))
    };
    let secret_key =
        SecretKey::from_bytes(&unseal(CLIENT_KEY, Purpose::ClientKey)?).context("Failed to load the key")?;
    let signer = unseal(SIGNER, Purpose::Signer)?;
    let signer = B256::try_from(signer.as_slice()).ok().and_then(|bytes| Signer::from_bytes(&bytes));
    let signer = signer.context("the signer's file holds no key")?;
    ensure!(signer.address() == manifest.signer, "manifest.json names another signer than its file holds");
    Ok(KeySet { secret_key, signer, manifest, evaluation_key, public_key, crs })
}

/// Waits until the folder's entries are on the disk.
fn sync_folder(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("Failed to write {}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("Failed to read {}", path.display()))
}

/// Makes a folder that only its owner enters; refuses one that others enter.
fn private_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).with_context(|| format!("Failed to make {}", path.display()))?;
    let mode = fs::metadata(path).with_context(|| format!("Failed to read {}", path.display()))?.permissions().mode();
    ensure!(mode & 0o077 == 0, "{} is open to others (mode {:o}); chmod 700 it", path.display(), mode & 0o777);
    Ok(())
}
