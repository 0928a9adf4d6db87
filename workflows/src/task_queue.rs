//! Task queues: scale is more workers on these, never a scheduler of our own.

/// Workflows, plain computations, confirmation, metering.
pub const COMPUTE: &str = "compute";
/// Computations on ciphertexts.
pub const FHE: &str = "fhe";
