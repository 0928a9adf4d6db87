//! Encrypted jobs through the public REST API, on a whole stack with key manager and FHE worker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod algorithms;
mod cancel;
mod checkpoint;
mod deadly;
mod foreign;
mod grant;
mod history;
mod outage;
mod own_key;
mod refusals;
mod retrieval;
mod stolen_api;
mod story;
mod theft;
mod worker;

#[path = "../harness/mod.rs"]
mod harness;
