//! Workflow ids: what an operator types into the Temporal UI to find a job.
//!
//! A key may hold any visible character, so its `/` and `%` are written `%2F` and `%25`: then the part behind the key
//! can never be taken for another key. Ids of our own services hold a `.`, which no tenant's name does.

use crate::{IdempotencyKey, JobId, TenantId};

/// First segment of the workflow ids that belong to no tenant.
pub const SERVICE: &str = "zama.jobs";

/// `{tenant}/{key}` for a key's first use.
#[must_use]
pub fn first_use(tenant: &TenantId, key: &IdempotencyKey) -> String {
    let key = key.as_str().replace('%', "%25").replace('/', "%2F");
    format!("{tenant}/{key}")
}

/// `{tenant}/{key}/{job id}` when the key is used again after its lifetime.
#[must_use]
pub fn later_use(tenant: &TenantId, key: &IdempotencyKey, job: JobId) -> String {
    format!("{}/{job}", first_use(tenant, key))
}

/// `…/{n}`: the n-th time that a lost workflow is started again.
#[must_use]
pub fn restarted(first: &str, n: u32) -> String {
    format!("{first}/{n}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: &str) -> String {
        first_use(&"acme".parse().unwrap(), &key.parse().unwrap())
    }

    #[test]
    fn a_plain_key_stands_as_it_is() {
        assert_eq!(id("order-7:a_b.c"), "acme/order-7:a_b.c");
    }

    #[test]
    fn no_key_can_pose_as_a_later_part() {
        let job = JobId::generate();
        let (tenant, key) = ("acme".parse().unwrap(), "k".parse().unwrap());
        assert_ne!(id("k/1"), restarted(&id("k"), 1));
        assert_ne!(id(&format!("k/{job}")), later_use(&tenant, &key, job));
        assert_ne!(id("k%2F1"), id("k/1"));
    }
}
