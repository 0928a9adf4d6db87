//! The product while its parts are away, die and come back: each test has a stack of its own and disturbs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod api;
mod backlog;
mod billing;
mod cancel;
mod chain;
mod database;
mod engine;
mod health;
mod stack;
mod worker;

#[path = "../harness/mod.rs"]
mod harness;
