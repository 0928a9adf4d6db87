//! The product through its public REST API, on whole stacks that most tests here share and none disturbs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "all.rs"]
mod stack_jobs;
