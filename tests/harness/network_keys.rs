//! Folders of key managers, made once and kept between runs: making one takes twelve seconds. One is that of every stack;
//! another, that of another network, is shared with the key manager's own tests.

use std::fs;
use std::process::Command;

use fhe::child::protocol::{Blob, KeyMode, LoadKey};
use fhe::keys::{BoundParts, KeyId, NetworkPublicKey};
use sha2::{Digest as _, Sha256};

use super::place::PROGRAM;

/// The folder of every stack's key manager.
pub const NETWORK_KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kms-seed-1");
/// As `kms/tests` name it, and what it is encrypted under there.
const OTHER_NETWORK_KEYS: (&str, &str) = (concat!(env!("CARGO_TARGET_TMPDIR"), "/kms-keys-1"), "tests");

/// Makes the keys of all stacks, unless they are there.
pub fn make_network_keys() {
    make(Command::new(PROGRAM).env("ZAMA__KMS__DATA_DIR", NETWORK_KEYS));
}

fn make(command: &mut Command) {
    let made = command.args(["kms", "init", "--json"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let told: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    for name in ["signer", "key_id"] {
        assert!(told[name].as_str().is_some_and(|value| value.starts_with("0x")), "{told}");
    }
}

fn read(folder: &str, name: &str) -> Vec<u8> {
    fs::read(format!("{folder}/keys/{name}")).unwrap()
}

/// What a computing process loads of the stacks' keys.
pub fn network_key() -> LoadKey {
    let [evaluation_key, public_key, crs] =
        ["evaluation-key.bin", "public-key.bin", "crs.bin"].map(|name| read(NETWORK_KEYS, name));
    let digests = [&evaluation_key, &public_key, &crs].map(|part| Sha256::digest(part).into());
    LoadKey {
        mode: KeyMode::Network,
        key_id: KeyId::of_digests(digests).0,
        evaluation_key: Blob(evaluation_key),
        public_key: Some(Blob(public_key)),
        crs: Some(Blob(crs)),
    }
}

/// The stacks' public key as anybody fetches it.
pub fn network_public_key() -> Vec<u8> {
    read(NETWORK_KEYS, "public-key.bin")
}

/// What one encrypts with under another network's key.
pub fn other_network_key() -> NetworkPublicKey {
    let (folder, secret) = OTHER_NETWORK_KEYS;
    make(Command::new(PROGRAM).env("ZAMA__KMS__DATA_DIR", folder).env("ZAMA__KMS__STORAGE_SECRET", secret));
    let (public_key, crs) = (read(folder, "public-key.bin"), read(folder, "crs.bin"));
    // Any evaluation key: nobody computes under it here.
    let of = |part: &[u8]| Sha256::digest(part).into();
    let id = KeyId::of_digests([[0; 32], of(&public_key), of(&crs)]);
    NetworkPublicKey::from_checked(BoundParts::new(id, [0; 32], &public_key, &crs).unwrap()).unwrap()
}
