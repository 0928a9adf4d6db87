//! The key manager's keys: made once, kept in a folder of its own, loaded at each start.

mod folder;
mod make;
mod manifest;

use std::path::PathBuf;

use anyhow::{Context, Result};
use fhe::keys::SecretKey;
use retrieval::{Domain, NetworkKeyClaim, Signer};

pub use folder::{Origin, Step, ensure};
pub use manifest::ManifestFile;

use crate::convert::{Manifest, SignedManifest};

/// Everything that is loaded once.
pub struct KeySet {
    /// Decrypts everything.
    pub(crate) secret_key: SecretKey,
    /// Signs what is sealed.
    pub(crate) signer: Signer,
    pub(crate) manifest: Manifest,
    pub(crate) evaluation_key: PathBuf,
    pub(crate) public_key: PathBuf,
    pub(crate) crs: PathBuf,
}

impl KeySet {
    /// Which keys these are.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The same, signed for whoever believes this registry.
    pub(crate) fn signed_manifest(&self, domain: Domain) -> Result<SignedManifest> {
        let manifest = self.manifest.clone();
        let claim = NetworkKeyClaim { key_id: manifest.key_id, parameters: &manifest.parameters };
        let signature = self.signer.sign(claim.digest(domain)).context("the manifest cannot be signed")?;
        Ok(SignedManifest { manifest, signature })
    }
}
