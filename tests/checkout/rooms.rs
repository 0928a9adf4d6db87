//! The rooms and their imports are those that DESIGN.md draws; some stay free of I/O, some crates stay in one room.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;

/// All that rooms without I/O may use beside other rooms: nothing here opens a file, a socket or a database.
const NO_IO: [&str; 23] = [
    "alloy",
    "base64",
    "chrono",
    "ciborium",
    "futures",
    "hex",
    "hpke",
    "num-integer",
    "p256",
    "rand",
    "rayon",
    "serde",
    "serde_bytes",
    "serde_json",
    "serde_json_canonicalizer",
    "sha2",
    "temporalio-macros",
    "temporalio-workflow",
    "tfhe",
    "thiserror",
    "utoipa",
    "uuid",
    "zeroize",
];
/// The parts of alloy that open nothing.
const ALLOY_NO_IO: [&str; 4] = ["serde", "signer-local", "sol-types", "std"];
const ROOMS_WITHOUT_IO: [&str; 5] = ["algorithms", "fhe", "jobs", "retrieval", "workflows"];

/// Crates that one room has to itself, tests and builds included: so no other room waits for tfhe, speaks to Lago past
/// `billing`, or reads the key manager's nonces.
const KEPT: [(&str, &str); 7] = [
    ("tfhe", "fhe"),
    ("lago-client", "billing"),
    ("lago-types", "billing"),
    ("redb", "kms"),
    ("object_store", "blobs"),
    ("hpke", "retrieval"),
    ("jsonwebtoken", "api"),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// None: what is compiled into the room.
    kind: Option<Kind>,
    /// Given for rooms.
    path: Option<String>,
    features: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Build,
    Dev,
}

impl Package {
    /// What is compiled into it or makes its code.
    fn uses(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.kind != Some(Kind::Dev))
    }

    fn imports(&self) -> BTreeSet<&str> {
        self.uses().filter(|dependency| dependency.path.is_some()).map(|dependency| dependency.name.as_str()).collect()
    }
}

/// The workspace as cargo reads it, the binary included.
fn workspace() -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--no-deps", "--format-version", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// Each room's row of the table in DESIGN.md: name to imports.
fn drawn() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let (_, section) = include_str!("../../DESIGN.md").split_once("\n## 2. Rooms\n").unwrap();
    let section = section.split_once("\n## ").unwrap().0;
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix('|')?.split(" | ");
        let room = cells.next()?.strip_suffix("/`")?;
        let imports = cells.nth(1)?.split(',').map(str::trim).filter(|import| !import.is_empty());
        Some((room, imports.collect()))
    });
    rows.filter(|(room, _)| *room != "src").collect()
}

#[test]
fn every_room_imports_what_the_design_draws() {
    let workspace = workspace();
    let rooms = workspace.iter().filter(|package| package.name != "zama-jobs");
    let imports: BTreeMap<&str, BTreeSet<&str>> = rooms.map(|room| (room.name.as_str(), room.imports())).collect();
    assert_eq!(imports, drawn());
}

#[test]
fn rooms_without_io_use_nothing_that_opens_anything() {
    let workspace = workspace();
    for name in ROOMS_WITHOUT_IO {
        let room = workspace.iter().find(|package| package.name == name).unwrap();
        for dependency in room.uses() {
            let used = &dependency.name;
            let is_without_io = NO_IO.contains(&used.as_str()) || ROOMS_WITHOUT_IO.contains(&used.as_str());
            assert!(is_without_io, "{name} must stay free of I/O and uses {used}; without I/O it belongs into NO_IO");
            if used == "alloy" {
                let beyond = dependency.features.iter().find(|feature| !ALLOY_NO_IO.contains(&feature.as_str()));
                assert_eq!(beyond, None, "{name} must stay free of I/O");
            }
        }
    }
}

#[test]
fn some_crates_stay_in_one_room() {
    for package in workspace() {
        for dependency in &package.dependencies {
            let room = KEPT.iter().find(|(kept, _)| *kept == dependency.name).map(|(_, room)| *room);
            let is_at_home = room.is_none_or(|room| room == package.name);
            assert!(is_at_home, "{} belongs to {} alone, not to {}", dependency.name, room.unwrap(), package.name);
        }
    }
}
