//! Encrypted jobs as clients name them: algorithms, programs, their types and what they cost. Nothing here knows tfhe.

mod algorithm;
mod builder;
mod check;
mod clear;
mod data_url;
mod inputs;
mod key;
pub mod lifetimes;
mod linear_score;
mod maximum;
mod membership;
pub mod price;
pub mod program;
mod public_key;
mod request;
pub mod schema;
mod sizes;
mod source;
mod statistics;
mod sum;
#[cfg(test)]
mod tests;
pub mod units;

pub use algorithm::{FheAlgorithm, UnknownFheAlgorithm};
pub use check::{MAX_INPUTS, MAX_NAME, MAX_OUTPUTS, MAX_STEPS};
pub use clear::ClearError;
pub use data_url::{EncryptedDataUrl, InvalidDataUrl};
pub use key::{InvalidKeyId, KeyChoice, KeyId, KeyMode, KeyStatus};
pub use lifetimes::MAX_LIVE_BYTES;
pub use linear_score::{LinearScore, MAX_BOOL_WEIGHTS, MAX_WEIGHTS};
pub use membership::{MAX_CLEAR_SET, MAX_ENCRYPTED_SET, SetMembership};
pub use public_key::{ClientPublicKey, InvalidPublicKey};
pub use request::{DEFAULT_TIMEOUT_SECONDS, EncryptedRequest, MAX_TIMEOUT_SECONDS, SCHEME, SECURITY_LEVEL, Task};
pub use sizes::{MAX_BLOB_BYTES, MAX_CRS_BYTES, MAX_EVALUATION_KEY_BYTES, MAX_PUBLIC_KEY_BYTES, MAX_RESULT_BYTES};
pub use source::MAX_PROGRAM_PBS;
pub use statistics::{Statistic, Statistics};
