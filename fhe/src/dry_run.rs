//! How many bootstrappings each step of a program makes, by executing it under a key that is fast and worthless.

use std::sync::{Mutex, OnceLock, PoisonError};

use jobs::fhe::program::Program;
use tfhe::{ClientKey, ServerKey};

use crate::execution::{Execution, ExecutionError};
use crate::parameters::counting_config;
use crate::value::EncryptedValue;

/// Keys of a process that only counts.
pub(crate) struct CountingKeys {
    pub(crate) client: ClientKey,
    pub(crate) server: ServerKey,
}

pub(crate) fn counting_keys() -> &'static CountingKeys {
    static KEYS: OnceLock<CountingKeys> = OnceLock::new();
    KEYS.get_or_init(|| {
        crate::profile::pin();
        let (client, server) = tfhe::generate_keys(counting_config());
        CountingKeys { client, server }
    })
}

/// The bootstrappings of each step. tfhe counts for the whole process, so that nothing else may compute meanwhile;
/// two dry runs exclude each other.
///
/// # Errors
/// A program that cannot be executed.
pub fn dry_run(program: &Program) -> Result<Vec<u64>, ExecutionError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let keys = counting_keys();
    let inputs = program.inputs.iter().map(|kind| EncryptedValue::encrypt(*kind, 1, &keys.client)).collect();
    let mut execution = Execution::with_key(keys.server.clone(), program.clone(), inputs, [0; 32])?;
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut counts = Vec::with_capacity(program.steps.len());
    while !execution.is_complete() {
        let before = tfhe::get_pbs_count();
        execution.step()?;
        counts.push(tfhe::get_pbs_count() - before);
    }
    Ok(counts)
}
