//! GET /v1/jobs/{id}/receipt

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::JobId;
use jobs::leaf::Leaf;
use jobs::merkle::{Batch, Inclusion};
use jobs::receipt::{Anchor, Lineage, Receipt};
use store::fhe::results::HandleParts;
use store::receipts::ReceiptParts;
use store::sealing::LeafJob;

use super::unavailable;
use crate::ApiState;
use crate::errors;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, JobNotFound, ResultNotReady, JobCancelled; ENDINGS);

/// Fetch a receipt
///
/// With it anyone can check, from the chain alone, that the result's hash was confirmed: `zama-jobs verify
/// receipt.json`. It exists once the job is COMPLETED; where the tenant has failed jobs confirmed, a FAILED job has one
/// too, as soon as its batch is on chain.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/receipt", operation_id = "get_receipt", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")),
    responses(
        (status = 200, description = "The receipt.", body = Receipt, example = json!(receipt_example())),
        Errors
    )
)]
pub async fn receipt(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
) -> Result<Json<Receipt>, Problem> {
    principal.require(Scope::JobsRead)?;
    let found = store::receipts::find(&state.pool, principal.reader(), id).await?.ok_or_else(|| not_found(id))?;
    let Some(parts) = found.parts else {
        // A failure that goes on chain has a receipt like any result, a moment later.
        let error = found.error.filter(|_| !found.is_to_be_confirmed);
        return Err(unavailable::problem("receipt", found.status, error));
    };
    build(id, &parts).map(Json).ok_or_else(|| damaged(id))
}

/// The batch's row, or what its leaves are made of, is not what it was when the batch was sealed.
pub(super) fn damaged(id: JobId) -> Problem {
    Problem::damaged("batch", format_args!("the stored batch of job {id} does not lead to its root"))
}

/// Builds the batch's tree again and finds the job in it. `None` when it is not the tree that was confirmed.
pub(super) fn included(id: JobId, parts: &ReceiptParts) -> Option<(&LeafJob, Inclusion)> {
    let position = parts.leaves.iter().position(|leaf| leaf.job_id == id)?;
    let leaves: Vec<Leaf> = parts.leaves.iter().map(LeafJob::leaf).collect();
    let inclusion = Batch::seal(&leaves).ok()?.inclusion(position)?;
    (inclusion.root == parts.root).then(|| (&parts.leaves[position], inclusion))
}

fn build(id: JobId, parts: &ReceiptParts) -> Option<Receipt> {
    let (job, inclusion) = included(id, parts)?;
    let anchor = Anchor {
        chain_id: u64::try_from(parts.chain_id).ok()?,
        registry: parts.registry.into(),
        tx_hash: parts.tx_hash.into(),
        block_number: u64::try_from(parts.block_number).ok()?,
        block_hash: parts.block_hash.into(),
    };
    let (leaf, salt) = (job.leaf(), job.salt.into());
    Some(match &parts.handle {
        None => Receipt::of_plain_job(leaf, salt, job.content_hash.into(), inclusion, anchor),
        Some(handle) => Receipt::of_encrypted_job(leaf, salt, lineage(handle), inclusion, anchor),
    })
}

fn lineage(handle: &HandleParts) -> Lineage {
    Lineage {
        inputs: handle.inputs_hash.into(),
        program: handle.program_hash.into(),
        key: handle.key_id.into(),
        attestation: handle.attestation.to_vec().into(),
    }
}

/// A receipt whose hashes agree, made as real ones are.
fn receipt_example() -> Option<Receipt> {
    let id = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07".parse().ok()?;
    let job = LeafJob {
        job_id: id,
        leaf_index: 41,
        leaf_status: jobs::leaf::LeafStatus::Completed,
        submitter: [0x70; 20],
        result_hash: [0x1f; 32],
        content_hash: [0x2e; 32],
        salt: [0x3d; 32],
        handle: None,
    };
    let root = Batch::seal(&[job.leaf()]).ok()?.root().into();
    let parts = ReceiptParts {
        chain_id: 31337,
        registry: [0x5f; 20],
        root,
        entries: serde_json::Value::Null,
        tx_hash: [0x4c; 32],
        block_number: 1207,
        block_hash: [0x5b; 32],
        algorithm: String::new(),
        leaves: vec![job],
        handle: None,
    };
    build(id, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_built_only_for_the_confirmed_tree() {
        let example = receipt_example().expect("it is built");
        assert_eq!(example.leaf.hash(), example.leaf_hash);
        assert_eq!(example.leaf_hash, example.root, "the only leaf of its batch is the root");
    }
}
