//! Other randomness for the inputs, the same again for the same job.

use tfhe::{ReRandomizationContext, with_server_key_as_context};

use super::InputError;
use crate::bytes::contained;
use crate::keys::{EvaluationKey, KeyId};
use crate::value::EncryptedValue;

const SEED_DOMAIN: [u8; 8] = *b"ZJobRRnd";
const ENCRYPTION_DOMAIN: [u8; 8] = *b"ZJobREnc";

/// What the fresh randomness is drawn from, with the ciphertexts themselves. Nobody can ask for the same inputs under
/// two randomnesses in one job, nor steer which they get.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The job's UUID.
    pub job_id: [u8; 16],
    pub inputs_hash: [u8; 32],
    pub program_hash: [u8; 32],
    pub key_id: KeyId,
}

pub(super) fn randomise(
    mut values: Vec<Option<EncryptedValue>>,
    key: &EvaluationKey,
    seeds: &Seeds,
) -> Result<Vec<Option<EncryptedValue>>, InputError> {
    let description: [&[u8]; 5] =
        [b"zama-jobs/v1/compute", &seeds.job_id, &seeds.inputs_hash, &seeds.program_hash, &seeds.key_id.0];
    let work = || -> tfhe::Result<()> {
        let mut context = ReRandomizationContext::new(SEED_DOMAIN, description, ENCRYPTION_DOMAIN);
        for value in values.iter().flatten() {
            value.add_to(&mut context);
        }
        let mut generator = context.finalize();
        values.iter_mut().flatten().try_for_each(|value| value.re_randomize(&mut generator))
    };
    contained(|| with_server_key_as_context(key.server_key().clone(), work))
        .and_then(Result::ok)
        .ok_or_else(|| InputError::invalid("the inputs cannot be re-randomised"))?;
    Ok(values)
}
