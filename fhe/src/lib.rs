//! Fully homomorphic encryption: parameters, keys, programs and safe bytes. The only room that knows tfhe.

pub mod child;
pub mod clear;
pub mod decrypt;
pub mod dry_run;
pub mod encrypt;
pub mod execution;
pub mod inputs;
pub mod keys;
pub mod parameters;
pub mod profile;

mod bytes;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod testing;
mod value;
