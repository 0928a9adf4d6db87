//! The result of an encrypted job: its hash and what the leaf commits to. The bytes lie in the blob store.

use jobs::{JobId, Step};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;
use crate::departure::{Departure, ResultRow};
use crate::jobs::bytes;
use crate::transition::Units;
use crate::uploads::length;

/// What an encrypted job's leaf commits to beside its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleParts {
    /// SHA-256 of the inputs as they were serialised again.
    pub inputs_hash: [u8; 32],
    /// SHA-256 of the compiled program.
    pub program_hash: [u8; 32],
    pub key_id: [u8; 32],
    /// keccak256 of the attestation.
    pub attestation_hash: [u8; 32],
    /// The worker's signature over the statement of where the result came from: r, s, v.
    pub attestation: [u8; 65],
}

/// A computed result whose bytes are stored.
pub struct Encrypted<'a> {
    /// SHA-256 of the result.
    pub hash: [u8; 32],
    /// Length of the result in bytes.
    pub size: u64,
    pub media_type: &'a str,
    pub units: Units,
    /// Random, so that a content hash on chain does not tell its content.
    pub salt: [u8; 32],
    pub handle: HandleParts,
    /// Where the same inputs give the same bytes.
    pub manifest: &'a Value,
}

impl Departure {
    /// Leaves PROCESSING with an encrypted result.
    ///
    /// # Errors
    /// The database is away.
    pub async fn with_encrypted(mut self, result: &Encrypted<'_>) -> Result<Step, StoreError> {
        let job = self.job();
        insert_handle(self.tx(), job, result).await?;
        let row = ResultRow {
            hash: result.hash,
            media_type: result.media_type,
            bytes: None,
            size: Some(length(result.size)),
            salt: result.salt,
        };
        self.leave(&row, result.units).await
    }
}

async fn insert_handle(tx: &mut PgConnection, job: JobId, result: &Encrypted<'_>) -> Result<(), StoreError> {
    let handle = &result.handle;
    sqlx::query!(
        "INSERT INTO fhe_handles (job_id, inputs_hash, program_hash, key_id, attestation_hash, attestation, manifest)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        job.0,
        &handle.inputs_hash[..],
        &handle.program_hash[..],
        &handle.key_id[..],
        &handle.attestation_hash[..],
        &handle.attestation[..],
        result.manifest
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Reads what a job's leaf commits to; `None` for a plain job, or one without a result.
///
/// # Errors
/// The database is away.
pub async fn handle(pool: &PgPool, job: JobId) -> Result<Option<HandleParts>, StoreError> {
    let row = sqlx::query!(
        "SELECT inputs_hash, program_hash, key_id, attestation_hash, attestation FROM fhe_handles WHERE job_id = $1",
        job.0
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(HandleParts {
            inputs_hash: bytes("inputs hash", &row.inputs_hash)?,
            program_hash: bytes("program hash", &row.program_hash)?,
            key_id: bytes("key id", &row.key_id)?,
            attestation_hash: bytes("attestation hash", &row.attestation_hash)?,
            attestation: bytes("attestation", &row.attestation)?,
        })
    })
    .transpose()
}
