//! From the child's result to CONFIRMING: verified, attested, stored, and only then decided.

use anyhow::{Result, ensure};
use blobs::{BlobHash, SystemKey};
use bytes::Bytes;
use jobs::Step;
use jobs::algorithm::payload_units;
use retrieval::Attestation;
use store::departure::{self, Leaving};
use store::fhe::results::{Encrypted, HandleParts};
use store::transition::Units;

use super::attempts::Computed;
use super::{FheCompute, Task};

/// CBOR (RFC 8949).
const MEDIA_TYPE: &str = "application/cbor";

impl FheCompute {
    pub(super) async fn finish(&self, task: &Task, computed: Computed) -> Result<Step> {
        let Computed { prepared, done, key_id, input_bytes } = computed;
        let result = Bytes::from(done.result.0);
        ensure!(
            BlobHash::of(&result).0 == done.result_hash,
            "the computing process names another hash than its result's"
        );
        let units = Units {
            compute: payload_units(task.job.payload.len()) + payload_units(input_bytes),
            fhe: jobs::fhe::units::units(prepared.pbs),
        };
        let attested = self.attester.attest(&Attestation {
            job_id: task.id,
            tenant: task.job.tenant.clone(),
            submitter: task.job.submitter.into(),
            inputs_hash: prepared.inputs_hash.into(),
            program_hash: prepared.program_hash.into(),
            key_id: key_id.into(),
            result_hash: done.result_hash.into(),
        })?;
        let step = match departure::open(&self.pool, task.id, units).await? {
            Leaving::Decided(step) => step,
            Leaving::Open(departure) => {
                // Under the job's lock: the bytes under the job's name are those whose hash will stand.
                self.blobs.put_system(&SystemKey::result(task.id), result.clone()).await?;
                let encrypted = Encrypted {
                    hash: done.result_hash,
                    size: result.len() as u64,
                    media_type: MEDIA_TYPE,
                    units,
                    salt: rand::random(),
                    handle: HandleParts {
                        inputs_hash: prepared.inputs_hash,
                        program_hash: prepared.program_hash,
                        key_id,
                        attestation_hash: attested.hash.0,
                        attestation: attested.signature,
                    },
                    manifest: &serde_json::to_value(fhe::profile::pin())?,
                };
                departure.with_encrypted(&encrypted).await?
            }
        };
        self.forget_checkpoints(task.id).await;
        Ok(step)
    }
}
