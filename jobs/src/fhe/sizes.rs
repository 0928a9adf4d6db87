//! How large things of encrypted jobs may be, in bytes: what several rooms keep to stands here alone.

/// A blob of inputs.
pub const MAX_BLOB_BYTES: usize = 64 << 20;
/// An encrypted result, wherever it is stored, sent or opened.
pub const MAX_RESULT_BYTES: usize = 64 << 20;
/// A compressed evaluation key.
pub const MAX_EVALUATION_KEY_BYTES: usize = 256 << 20;
/// A compact public key of the network.
pub const MAX_PUBLIC_KEY_BYTES: usize = 1 << 20;
/// The common reference string of the network key's proofs.
pub const MAX_CRS_BYTES: usize = 16 << 20;
