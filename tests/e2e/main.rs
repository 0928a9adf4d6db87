//! The product through its public REST API, on a whole stack that all tests here share and none disturbs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod audit;
mod billing;
mod cancel;
mod command_line;
mod crowd;
mod failed_on_chain;
mod idempotency;
mod ledger;
mod limits_of_time;
mod login;
mod one_job;
mod people;
mod policy;
mod quotes;
mod reconciliation;
mod secrets;
mod temporal_setup;
mod tenants;
mod workflow;

#[path = "../harness/mod.rs"]
mod harness;
