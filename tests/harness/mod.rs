//! What the tests that run stacks share: a place, the stack as a child process, and verbs for what its users do.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod answer;
mod chain;
mod chance;
mod command_line;
mod dev;
mod faulty_node;
mod fhe;
mod job;
mod keystore;
mod lago;
mod network_keys;
mod outage;
mod own_worker;
mod patience;
mod place;
mod process;
mod program;
mod role;
mod second_api;
mod seed;
mod stack;
mod temporal;
mod zama;

pub use answer::Answer;
pub use chain::{ADMIN, CONFIRMER, Sent};
pub use chance::Chance;
pub use command_line::{Person, Waiting};
pub use dev::{Demonstration, Dev, spawn};
pub use faulty_node::{FaultyNode, Manner};
pub use fhe::{CHECKPOINTS_OFTEN, WORKER};
pub use job::{JobHandle, UsageRow, block};
pub use keystore::{Keystore, PASSWORD};
pub use network_keys::{network_key, network_public_key, other_network_key};
pub use outage::Outage;
pub use own_worker::OwnWorker;
pub use patience::{eventually, until, within_a_minute};
pub use place::{PROGRAM, PartStatus, Place, quantity};
pub use process::{Process, descendants};
pub use program::Run;
pub use role::Role;
pub use second_api::SecondApi;
pub use stack::{BUSY, CROWD, FOREIGN_HOST, NO_REPORTER, Stack, USER, foreign_address};
pub use temporal::RECONCILIATION;
pub use zama::{BILLED, Zama, factor, long_factor, under};
