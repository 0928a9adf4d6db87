//! Content-addressed bytes of tenants (ciphertexts, keys), the service's own objects (results, checkpoints), and the
//! guarded fetch of public URLs.
//!
//! A tenant's blob is named by (tenant, SHA-256) and by nothing else: equal bytes of two tenants are two objects. It
//! becomes visible whole or not at all. The service's own objects lie where no tenant's name leads.

mod error;
mod hash;
mod incoming;
mod keys;
mod location;
pub mod remote;
mod store;
mod system;
mod unlinked;
mod verified;

pub use error::{BlobError, PutError};
pub use hash::{BlobHash, InvalidHash};
pub use incoming::{Staged, Terms};
pub use keys::SystemKey;
pub use location::{Config, S3};
pub use store::{BlobRef, BlobStore, BlobStream, Head};

/// Largest input blob, in bytes.
pub const MAX_BLOB_BYTES: u64 = jobs::fhe::MAX_BLOB_BYTES as u64;

/// Largest result of an encrypted job, in bytes.
pub const MAX_RESULT_BYTES: u64 = jobs::fhe::MAX_RESULT_BYTES as u64;

/// Largest evaluation key of a client, in bytes.
pub const MAX_EVALUATION_KEY_BYTES: u64 = jobs::fhe::MAX_EVALUATION_KEY_BYTES as u64;
