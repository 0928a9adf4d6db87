//! The audit log: one JSON line a decision, appended and flushed before the caller hears of it. No secrets, no results.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use serde::Serialize;

/// One request for decryption and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Decision {
    /// Unix seconds.
    pub(crate) time: u64,
    /// As the caller wrote it, at most 36 characters.
    pub(crate) job_id: String,
    /// Who signed, if that much was seen.
    pub(crate) signer: Option<Address>,
    pub(crate) nonce: Option<B256>,
    pub(crate) public_key_hash: Option<B256>,
    pub(crate) outcome: Outcome,
    /// Code and sentence of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Decrypted and sealed now.
    Sealed,
    /// The earlier answer to the identical request.
    Repeated,
    Refused,
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct Audit(Mutex<File>);

impl Audit {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        Ok(Self(Mutex::new(file.with_context(|| format!("Failed to open {}", path.display()))?)))
    }

    /// Writes the decision down, here and in the process's log.
    pub(crate) fn note(&self, decision: &Decision) -> Result<()> {
        let signer = decision.signer.map(|signer| signer.to_string()).unwrap_or_default();
        match decision.outcome {
            Outcome::Refused => tracing::warn!(
                job.id = decision.job_id,
                signer,
                error.code = decision.code,
                "refused to decrypt {}: {}",
                decision.job_id,
                decision.reason.as_deref().unwrap_or_default()
            ),
            outcome => {
                tracing::info!(
                    job.id = decision.job_id,
                    signer,
                    ?outcome,
                    "decrypted {} for {signer}",
                    decision.job_id
                );
            }
        }
        let mut line = serde_json::to_vec(decision)?;
        line.push(b'\n');
        let mut file = self.0.lock().map_err(|_| anyhow::anyhow!("the audit log's lock is broken"))?;
        file.write_all(&line).and_then(|()| file.sync_data()).context("Failed to write the audit log")
    }
}
