//! Fully homomorphic encryption: parameters, keys, programs and safe bytes. The only room that knows tfhe.

pub mod child;
pub mod dry_run;
pub mod execution;
pub mod parameters;
pub mod profile;

mod bytes;
mod value;
