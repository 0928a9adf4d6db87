//! The Rust client of Zama Jobs: submit, follow, fetch and cancel jobs over REST, and the CLI's commands built on it.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::ClientError> {
//! let zama = client::Client::new("http://127.0.0.1:7600", "the access token")?;
//! let body = serde_json::json!({
//!     "type": "compute",
//!     "payload": { "algorithm": "prime_factorization", "input": { "number": 104_729 } },
//! });
//! let submitted = zama.submit(&body, None, None).await?;
//! let waited = zama.wait(submitted.job_id(), client::WaitOptions::default(), |_job| ()).await?;
//! println!("{}", waited.job().status);
//! # Ok(())
//! # }
//! ```
//!
//! Nearly every request may be repeated without harm: reads change nothing, a cancel and an upload are idempotent, the
//! identical retrieval is answered again, a second quote expires, and a submission always carries an `Idempotency-Key`. So the client repeats what
//! failed for a moment, as its [`RetryPolicy`] says. API keys alone are made and rotated by one request: of two, one would
//! make a key that nobody knows. Encrypted jobs begin at [`Client::network_key`] and
//! [`Client::submit_encrypted`].

// They panic where stdout or stderr cannot be written: `cli::output` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod api_keys;
mod audit;
mod cancel;
pub mod cli;
mod encrypted;
mod error;
mod listing;
mod me;
mod oauth;
mod outcome;
mod quote;
mod retry;
#[cfg(test)]
mod sample;
mod submit;
mod submitter;
mod transport;
mod usage;
mod wait;

pub use api_keys::{ApiKey, ApiKeyFilter, ApiKeyPage, ApiKeyRotation, CreatedApiKey, NewApiKey};
pub use audit::{AuditExport, AuditFilter, AuditPage};
pub use cancel::Cancelled;
pub use chain::{AccessChange, Mined};
pub use encrypted::{
    AccessChanged, AccessRequest, Blob, ChainTrust, EncryptedError, EncryptedInputs, EncryptedJob, JobKey, KeyCache,
    KeyDigest, KeyMode, KeyPart, KeyStatus, Keys, KnownKeyManagers, NetworkKey, NetworkKeyInfo, OnBytes, Opened,
    Output, OwnKey, OwnKeyFiles, Retrieve, Submitter, Trust, UnverifiedKey, Upload, UploadedKey, VerifiedKey,
    unwatched,
};
pub use error::ClientError;
pub use fhe::clear::{ClearValue, ClearValueError};
pub use fhe::inputs::Origin;
pub use jobs::fhe::program::ValueType;
pub use jobs::quote::{Quote, QuoteCredits, QuoteLine};
pub use listing::JobFilter;
pub use me::Me;
pub use oauth::{DeviceLogin, Issuer, Tokens};
pub use outcome::ResultBytes;
pub use retrieval::{PublicKey, RecipientKey};
pub use retry::RetryPolicy;
pub use submit::{Answer, Submitted};
pub use submitter::RegisterError;
pub use transport::{Client, Renewal};
pub use usage::{Usage, UsageFilter, UsageRow};
pub use wait::{WaitOptions, Waited};
