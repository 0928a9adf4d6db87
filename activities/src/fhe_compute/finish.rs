//! From the child's result to CONFIRMING: verified, attested, stored, and only then decided.

use anyhow::{Result, ensure};
use blobs::{BlobHash, SystemKey};
use jobs::{JobId, Step};
use retrieval::Attestation;
use store::departure::{self, Leaving};
use store::fhe::results::{Encrypted, HandleParts};
use store::transition::Units;

use super::attempts::{Computed, carried};
use super::{FheCompute, Task};

/// CBOR (RFC 8949).
const MEDIA_TYPE: &str = "application/cbor";

impl FheCompute {
    pub(super) async fn finish(&self, task: &Task, computed: &Computed) -> Result<Step> {
        let Computed { prepared, result, result_hash, key_id, input_bytes } = computed;
        ensure!(BlobHash::of(result).0 == *result_hash, "the computing process names another hash than its result's");
        let units = Units { fhe: jobs::fhe::units::units(prepared.pbs), ..carried(task, *input_bytes) };
        let attested = self.attester.attest(&Attestation {
            job_id: task.id,
            tenant: task.job.tenant.clone(),
            submitter: task.job.submitter.into(),
            inputs_hash: prepared.inputs_hash.into(),
            program_hash: prepared.program_hash.into(),
            key_id: (*key_id).into(),
            result_hash: (*result_hash).into(),
        })?;
        // Before the job's row is locked, under a name that no other result has: whichever attempt's hash will stand,
        // its bytes are there.
        self.blobs.put_system(&SystemKey::result(task.id, BlobHash(*result_hash)), result.clone()).await?;
        match departure::open(&self.pool, task.id, units).await? {
            Leaving::Decided(step) => {
                self.sweep_result(task.id, *result_hash).await;
                Ok(step)
            }
            Leaving::Open(departure) => {
                let encrypted = Encrypted {
                    hash: *result_hash,
                    size: result.len() as u64,
                    media_type: MEDIA_TYPE,
                    units,
                    salt: rand::random(),
                    handle: HandleParts {
                        inputs_hash: prepared.inputs_hash,
                        program_hash: prepared.program_hash,
                        key_id: *key_id,
                        attestation_hash: attested.hash.0,
                        attestation: attested.signature,
                    },
                    manifest: &serde_json::to_value(&prepared.profile)?,
                };
                Ok(departure.with_encrypted(&encrypted).await?)
            }
        }
    }

    /// Deletes a result that came too late, unless it is the one that stands.
    async fn sweep_result(&self, job: JobId, hash: [u8; 32]) {
        let swept = async {
            if store::fhe::results::hash(&self.pool, job).await? != Some(hash) {
                self.blobs.delete_system(&SystemKey::result(job, BlobHash(hash))).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = swept.await {
            tracing::warn!(job.id = %job, error = format!("{error:#}"), "a result that came too late stays behind");
        }
    }
}
