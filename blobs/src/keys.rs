//! Where an object lies in the store.

use jobs::{JobId, TenantId};
use object_store::path::Path;
use uuid::Uuid;

use crate::BlobHash;

/// Uploads that are not whole yet.
pub(crate) const INCOMING: &str = "incoming";

/// `tenants/{tenant}/{sha256}`
pub(crate) fn of_tenant(tenant: &TenantId, hash: BlobHash) -> Path {
    Path::from_iter(["tenants", tenant.as_str(), &hash.to_string()])
}

/// A place for an upload that is under way.
pub(crate) fn incoming() -> Path {
    Path::from_iter([INCOMING, &Uuid::new_v4().to_string()])
}

/// An object of the service itself; no tenant's hash leads there.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SystemKey(pub(crate) Path);

impl SystemKey {
    /// A result of an encrypted job: `results/{job}/{sha256}`. Attempts that differ do not meet.
    #[must_use]
    pub fn result(job: JobId, sha256: BlobHash) -> Self {
        Self(Path::from_iter(["system", "results", &job.to_string(), &sha256.to_string()]))
    }

    /// A checkpoint of a job's computation: `checkpoints/{job}/{step}`.
    #[must_use]
    pub fn checkpoint(job: JobId, step: u32) -> Self {
        Self(checkpoints(job).join(format!("{step:010}")))
    }

    /// The job of a checkpoint's key.
    pub(crate) fn job(path: &Path) -> Option<JobId> {
        path.parts().nth(2)?.as_ref().parse().ok()
    }

    /// The step of a checkpoint's key.
    pub(crate) fn step(path: &Path) -> Option<u32> {
        path.filename()?.parse().ok()
    }
}

pub(crate) fn checkpoints(job: JobId) -> Path {
    all_checkpoints().join(job.to_string())
}

pub(crate) fn all_checkpoints() -> Path {
    Path::from_iter(["system", "checkpoints"])
}
