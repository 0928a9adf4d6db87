//! `zama-jobs chain …` as operators run it, and what becomes of any command that cannot print: the program itself, against
//! a real anvil and a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod changes;
mod forge_script;
mod output;
mod resync;
mod stage;
mod status;

#[path = "../harness/keystore.rs"]
mod keystore;

#[path = "../../chain/tests/anvil/mod.rs"]
mod anvil;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/database.rs"]
mod database;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/outbox.rs"]
mod outbox;
