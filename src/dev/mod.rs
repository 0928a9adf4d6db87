//! `zama-jobs dev`: the whole stack on loopback for a developer, and its `status` and `stop`.
//!
//! Engines start first, then the steps of `provision`, then our own processes. No child outlives this process, even
//! after kill -9: see `spawn` and `spawner`.

mod anvil_state;
mod api_key;
mod board;
pub mod console;
mod data_dir;
mod engines;
mod part;
mod parts;
mod ports;
mod postgres;
mod probe;
pub mod progress;
mod provision;
mod spawn;
mod spawner;
pub mod stack;
mod status;
mod supervisor;
pub mod wiring;

pub use console::{DevArgs, run};
pub use probe::Probe;
pub use spawn::{SpawnArgs, spawn};
