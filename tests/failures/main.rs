//! The product while its parts are away, die and come back: each test has a stack of its own and disturbs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "all.rs"]
mod stack_failures;
