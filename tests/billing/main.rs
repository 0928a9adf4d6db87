//! Ledger and billing system: what one owes the other, whatever stands between them. A PostgreSQL, a Lago stand-in, and in
//! front of it a network that loses things.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "all.rs"]
mod billing_system;
mod stage;
mod unreliable;

#[allow(dead_code, reason = "the harness draws more")]
#[path = "../harness/chance.rs"]
mod chance;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/database.rs"]
mod database;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/outbox.rs"]
mod outbox;
