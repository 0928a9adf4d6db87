//! Encrypted jobs through the public REST API, on a whole stack with key manager and FHE worker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "all.rs"]
mod stack_encrypted;
