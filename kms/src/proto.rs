//! Messages, client and server as `proto/kms.proto` says them.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::large_futures)]

tonic::include_proto!("zama.jobs.kms.v1");

/// Most bytes that a [`Chunk`] carries.
pub const CHUNK: usize = 1024 * 1024;
/// Largest encrypted result, in bytes.
pub const MAX_RESULT: usize = jobs::fhe::MAX_RESULT_BYTES;
/// Largest message: a result, and room for its proofs.
pub const MAX_MESSAGE: usize = MAX_RESULT + 4 * 1024 * 1024;
/// Metadata of a status that carries one of docs/errors.
pub const ERROR_CODE: &str = "error-code";
