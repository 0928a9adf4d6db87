//! Who else may read an encrypted result: its submitter grants that on chain, and takes it back.

use alloy::primitives::{Address, Bytes};
use alloy::sol_types::SolCall;
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::{grantAccessCall, revokeAccessCall};
use jobs::leaf::Leaf;
use jobs::merkle::Inclusion;

use crate::ChainError;
use crate::account::{Account, Mined};
use crate::client::require_registry;

/// What becomes of a grantee's access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessChange {
    Grant,
    Revoke,
}

/// A confirmed job, as its receipt tells it.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmedLeaf<'a> {
    pub registry: Address,
    pub leaf: &'a Leaf,
    pub inclusion: &'a Inclusion,
}

impl Account {
    /// Grants or revokes an address's access to a job's result. `None` when that is how it stands already: nothing is
    /// sent then, and nothing paid.
    ///
    /// # Errors
    /// [`ChainError::NotARegistry`]; [`ChainError::CannotPay`]; [`ChainError::Reverted`] when this account is not the
    /// leaf's submitter or the leaf is not confirmed; or the node is unavailable.
    pub async fn change_access(
        &self,
        job: ConfirmedLeaf<'_>,
        grantee: Address,
        change: AccessChange,
    ) -> Result<Option<Mined>, ChainError> {
        require_registry(&self.provider, job.registry).await?;
        let registry = ZamaJobsRegistry::new(job.registry, &self.provider);
        let has_access = registry.hasAccess(job.leaf.hash(), grantee).call().await?;
        let input = match (change, has_access) {
            (AccessChange::Grant, true) | (AccessChange::Revoke, false) => return Ok(None),
            (AccessChange::Grant, false) => grant(job, grantee),
            (AccessChange::Revoke, true) => revokeAccessCall { leaf: job.leaf.into(), grantee }.abi_encode().into(),
        };
        self.transact(job.registry, input).await.map(Some)
    }
}

fn grant(job: ConfirmedLeaf<'_>, grantee: Address) -> Bytes {
    let call = grantAccessCall {
        root: job.inclusion.root,
        entries: job.inclusion.entries.iter().map(Into::into).collect(),
        leaf: job.leaf.into(),
        proof: job.inclusion.proof.clone(),
        grantee,
    };
    call.abi_encode().into()
}
