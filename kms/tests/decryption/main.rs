//! The key manager against a real anvil, with a real ciphertext: who reads, and who does not.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

#[path = "../../../chain/tests/anvil/mod.rs"]
mod anvil;
mod audit;
mod callers;
mod chain_rules;
mod crash;
mod folder;
mod gate;
mod grants;
mod mtls;
mod nonces;
mod owner;
mod stage;
mod theft;
