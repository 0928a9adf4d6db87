//! `manifest.json`: which keys lie in the folder, for people and for the loader.

use alloy::primitives::{Address, B256};
use fhe::profile::Profile;
use serde::{Deserialize, Serialize};

use crate::convert::{KeyFile, Manifest};

/// The version that this code writes and reads.
const VERSION: u32 = 1;

/// The file's content. Hashes, ids and addresses are 0x-hex.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    pub version: u32,
    pub key_id: B256,
    pub evaluation_key: KeyFile,
    pub public_key: KeyFile,
    pub crs: KeyFile,
    /// Name of the parameter set.
    pub parameters: String,
    /// Address of the key that signs sealed results.
    pub signer: Address,
    /// How the process that made the keys was set up.
    pub profile: Profile,
}

impl ManifestFile {
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self {
            version: VERSION,
            key_id: manifest.key_id,
            evaluation_key: manifest.evaluation_key,
            public_key: manifest.public_key,
            crs: manifest.crs,
            parameters: manifest.parameters.clone(),
            signer: manifest.signer,
            profile: fhe::profile::pin().clone(),
        }
    }

    /// The manifest, if this code can read its version.
    pub(super) fn into_manifest(self) -> Option<Manifest> {
        (self.version == VERSION).then_some(Manifest {
            key_id: self.key_id,
            evaluation_key: self.evaluation_key,
            public_key: self.public_key,
            crs: self.crs,
            parameters: self.parameters,
            signer: self.signer,
        })
    }
}
