//! Makes all keys and writes them into a folder: public ones as they are, secret ones sealed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use alloy::primitives::B256;
use anyhow::{Context, Result};
use fhe::keys::NetworkKeys;
use fhe::parameters::NETWORK_PARAMETERS;
use retrieval::Signer;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::folder::{CLIENT_KEY, CRS, EVALUATION_KEY, MANIFEST, PUBLIC_KEY, SIGNER, Step};
use super::manifest::ManifestFile;
use crate::at_rest::{Purpose, StorageSecret, seal};
use crate::convert::{KeyFile, Manifest};

/// Makes new keys in `folder`, which exists and is empty.
pub(super) fn make(folder: &Path, secret: &StorageSecret, progress: &dyn Fn(Step)) -> Result<()> {
    let keys =
        NetworkKeys::generate(|stage| progress(Step::Making(stage))).context("Failed to make the network keys")?;
    progress(Step::Writing);
    let key_id = B256::from(keys.id().0);
    let NetworkKeys { secret_key, public_key, evaluation_key, crs } = keys;
    let signer = Signer::random();
    let manifest = Manifest {
        key_id,
        evaluation_key: file(&evaluation_key),
        public_key: file(&public_key),
        crs: file(&crs),
        parameters: NETWORK_PARAMETERS.to_owned(),
        signer: signer.address(),
    };
    let signer_bytes = Zeroizing::new(signer.to_bytes().0);
    write(&folder.join(EVALUATION_KEY), &evaluation_key)?;
    write(&folder.join(PUBLIC_KEY), &public_key)?;
    write(&folder.join(CRS), &crs)?;
    write(&folder.join(CLIENT_KEY), &seal(secret, Purpose::ClientKey, &secret_key)?)?;
    write(&folder.join(SIGNER), &seal(secret, Purpose::Signer, signer_bytes.as_slice())?)?;
    write(&folder.join(MANIFEST), &serde_json::to_vec_pretty(&ManifestFile::new(&manifest))?)
}

pub(super) fn file(bytes: &[u8]) -> KeyFile {
    KeyFile { sha256: B256::from_slice(&Sha256::digest(bytes)), size: bytes.len() as u64 }
}

/// Writes a file that only its owner reads, and waits until it is on the disk.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let attempt = || {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    attempt().with_context(|| format!("Failed to write {}", path.display()))
}

/// Copies keys that were made before.
pub(super) fn copy(from: &Path, to: &Path, progress: &dyn Fn(Step)) -> Result<()> {
    progress(Step::Copying);
    for name in [EVALUATION_KEY, PUBLIC_KEY, CRS, CLIENT_KEY, SIGNER, MANIFEST] {
        let source = from.join(name);
        let bytes = fs::read(&source).with_context(|| format!("Failed to read {}", source.display()))?;
        write(&to.join(name), &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fhe::keys::Stage;

    use super::*;

    #[test]
    fn steps_are_counted_as_they_follow_each_other() {
        let steps: Vec<Step> = Stage::ALL.map(Step::Making).into_iter().chain([Step::Writing]).collect();
        assert_eq!(steps.iter().map(|step| step.done_before()).collect::<Vec<_>>(), (0..Step::ALL).collect::<Vec<_>>());
        assert_eq!(steps[1].to_string(), "making the public key");
    }
}
