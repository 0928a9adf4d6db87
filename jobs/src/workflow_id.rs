//! Workflow ids: what an operator types into the Temporal UI to find a job.

use crate::{IdempotencyKey, JobId, TenantId};

/// `{tenant}/{key}` for a key's first use.
#[must_use]
pub fn first_use(tenant: &TenantId, key: &IdempotencyKey) -> String {
    format!("{tenant}/{key}")
}

/// `{tenant}/{key}/{job id}` when the key is used again after its lifetime.
#[must_use]
pub fn later_use(tenant: &TenantId, key: &IdempotencyKey, job: JobId) -> String {
    format!("{tenant}/{key}/{job}")
}

/// `…/{n}`: the n-th time that a lost workflow is started again.
#[must_use]
pub fn restarted(first: &str, n: u32) -> String {
    format!("{first}/{n}")
}
