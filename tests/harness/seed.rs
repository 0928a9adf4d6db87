//! A data folder in which everything is set up, made once a build and copied for each stack: most tests' subject is not
//! the set-up, whose own tests begin with nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use super::dev::Dev;
use super::place::{PROGRAM, Place};

/// Without those that keep themselves in the database or in Temporal.
const PARTS: &str = "postgres,temporal,anvil,lago";
const SEEDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/stack-seeds");

/// Puts the copy where a new place's stack will find it.
pub fn sow(place: &Place) {
    static SEED: OnceLock<PathBuf> = OnceLock::new();
    copy(SEED.get_or_init(seed), &place.data_dir());
}

/// The program's seed, made by the first of several test processes that ask.
fn seed() -> PathBuf {
    fs::create_dir_all(SEEDS).unwrap();
    let lock = File::create(Path::new(SEEDS).join("lock")).unwrap();
    lock.lock().unwrap();
    let built = fs::metadata(PROGRAM).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let seed = Path::new(SEEDS).join(built.as_nanos().to_string());
    if !seed.exists() {
        for former in fs::read_dir(SEEDS).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
            fs::remove_dir_all(former.path()).unwrap();
        }
        let place = Place::only(PARTS);
        Dev::start(&place).stop();
        for told in ["logs", "dev.json", "lock"] {
            let path = place.data_dir().join(told);
            fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).unwrap();
        }
        // Whole or not at all.
        let part = seed.with_extension("part");
        copy(&place.data_dir(), &part);
        fs::rename(part, &seed).unwrap();
    }
    seed
}

/// With owners, rights and times: PostgreSQL wants its folder to be its user's alone.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--archive").arg(from).arg(to).output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
}
