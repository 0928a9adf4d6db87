//! `zama-jobs dev` and `zama-jobs demo` against the real engines: they start, are honest about themselves, and never
//! leave a process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "all.rs"]
mod stack_dev;
