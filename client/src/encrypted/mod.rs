//! Encrypted jobs: keys, encryption on this machine, upload, submission, and the way back to the clear result.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{ClearValue, Client, EncryptedJob, NetworkKey, Retrieve, Submitter, Trust, WaitOptions};
//!
//! let zama = Client::new("http://127.0.0.1:7600", "the access token")?;
//! let submitter = Submitter::from_hex("0x… of the submitter")?;
//!
//! // Whom to believe: an EVM node of your own and the registry's address. The API is not believed.
//! let trust = Trust::chain("http://127.0.0.1:7604", "0x5FbDB2315678afecb367f032d93F642f64180aa3".parse()?);
//!
//! // Encrypt under the network's key, which the key manager signed, with a proof that this tenant and this submitter did.
//! let key: NetworkKey = zama.network_key(&trust, None, &client::unwatched()).await?;
//! let values = vec![ClearValue::U8(3), ClearValue::U8(5), ClearValue::U8(7)];
//! let inputs = key.encrypt(values, submitter.origin("acme")).await?;
//!
//! // Upload, submit, wait.
//! let job = EncryptedJob::new("encrypted_statistical_analysis");
//! let submitted = zama.submit_encrypted(&job, inputs, None).await?;
//! zama.wait(submitted.job_id(), WaitOptions::default(), |_job| ()).await?;
//!
//! // Sign for the result, check it against the chain, open it.
//! let opened = zama.retrieve(submitted.job_id(), &submitter, Retrieve::new(trust)).await?;
//! println!("{}", opened.json());
//! # Ok(())
//! # }
//! ```
//!
//! What is heavy (proving, decrypting) runs on tokio's threads for blocking work. Secret keys and clear values never
//! leave this process.

mod cache;
mod error;
mod grants;
mod inputs;
mod job;
mod keys;
mod known;
mod network_key;
mod opened;
mod own_key;
mod retrieve;
mod submitter;
#[cfg(test)]
mod tests;
mod trust;
mod unverified;
mod upload;

pub use cache::KeyCache;
pub use error::EncryptedError;
pub use grants::{AccessChanged, AccessRequest};
pub use inputs::{EncryptedInputs, JobKey, KeyMode};
pub use job::{Blob, EncryptedJob};
pub use keys::{KeyDigest, KeyPart, KeyStatus, Keys, NetworkKeyInfo, UploadedKey};
pub use known::KnownKeyManagers;
pub use network_key::NetworkKey;
pub use opened::{Opened, Output};
pub use own_key::{OwnKey, OwnKeyFiles};
pub use retrieve::Retrieve;
pub use submitter::Submitter;
pub use trust::{ChainTrust, Trust};
pub use unverified::{UnverifiedKey, VerifiedKey};
pub use upload::{OnBytes, Upload, unwatched};
