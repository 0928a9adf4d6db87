//! Checks that need nothing but the receipt.

use jobs::leaf::{Handle, LeafStatus, salted_content_hash};
use jobs::merkle;
use jobs::receipt::{RECEIPT_SCHEMA, RECEIPT_VERSION, Receipt};

use super::Check;

pub(super) fn checks(receipt: &Receipt) -> Vec<Check> {
    vec![
        document(receipt),
        leaf_encoding(receipt),
        leaf_hash(receipt),
        status(receipt),
        if receipt.leaf.handle.is_zero() { content(receipt) } else { handle(receipt) },
        inclusion(receipt),
    ]
}

/// What a root alone does not tell.
pub(super) fn left_to_the_chain(receipt: &Receipt) -> [Check; 5] {
    [
        Check::not_checked("chain_id", format!("whether the batch was confirmed on chain {}", receipt.chain_id)),
        Check::not_checked("registry", format!("whether there is a ZamaJobsRegistry at {}", receipt.registry)),
        Check::not_checked("transaction", format!("whether {} emitted the root and the entries", receipt.tx_hash)),
        Check::not_checked(
            "block",
            format!("whether block {} with hash {} is canonical", receipt.block_number, receipt.block_hash),
        ),
        Check::not_checked(super::FINALITY, "whether that block is finalized"),
    ]
}

fn document(receipt: &Receipt) -> Check {
    Check::new(
        "document",
        receipt.version == RECEIPT_VERSION && receipt.schema == RECEIPT_SCHEMA,
        format!("a receipt of version {RECEIPT_VERSION}"),
        format!("only version {RECEIPT_VERSION} with schema {RECEIPT_SCHEMA:?} can be verified"),
    )
}

fn leaf_encoding(receipt: &Receipt) -> Check {
    let is_uuid = receipt.leaf.job_id[16..].iter().all(|byte| *byte == 0);
    let matches = receipt.leaf.abi_encode().as_slice() == receipt.leaf_abi.as_ref();
    let fault = if is_uuid { "leaf_abi is not the ABI encoding of leaf" } else { "leaf.job_id holds more than a UUID" };
    Check::new("leaf", is_uuid && matches, "the leaf's fields encode to leaf_abi", fault)
}

fn leaf_hash(receipt: &Receipt) -> Check {
    Check::new(
        "leaf_hash",
        receipt.leaf.hash() == receipt.leaf_hash,
        "leaf_hash is the leaf's double keccak256",
        format!("the leaf hashes to {}", receipt.leaf.hash()),
    )
}

/// A failed job has nothing to commit to but its failure, and a completed one has a result.
fn status(receipt: &Receipt) -> Check {
    let leaf = &receipt.leaf;
    let (holds, told, fault) = match leaf.status {
        LeafStatus::Completed => (
            !leaf.result_hash.is_zero(),
            "the job completed; the leaf names its result's hash",
            "the leaf says that the job completed, and names no result",
        ),
        LeafStatus::Failed => (
            leaf.result_hash.is_zero() && leaf.handle.is_zero(),
            "the job failed; the leaf names no result",
            "the leaf says that the job failed, and names a result",
        ),
    };
    Check::new("status", holds, told, fault)
}

/// A plain job's leaf commits to the submitted body, and so does a failed job's.
fn content(receipt: &Receipt) -> Check {
    let only_plain = receipt.program_hash.is_none() && receipt.key_hash.is_none() && receipt.attestation.is_none();
    let matches =
        receipt.input_hash.is_some_and(|hash| salted_content_hash(receipt.salt, hash) == receipt.leaf.content_hash);
    let fault = if only_plain {
        "salt and input_hash do not give the leaf's content hash"
    } else {
        "the leaf is a plain job's, but the receipt names a program, a key or an attestation"
    };
    Check::new("content", only_plain && matches, "salt and input_hash give the leaf's content hash", fault)
}

/// An encrypted job's leaf commits to inputs, program, key and attestation.
fn handle(receipt: &Receipt) -> Check {
    let fields = (receipt.input_hash, receipt.program_hash, receipt.key_hash, receipt.attestation.as_ref());
    let matches = match fields {
        (Some(inputs), Some(program), Some(key), Some(attestation)) => {
            let attestation = alloy::primitives::keccak256(attestation);
            let handle = Handle { inputs, program, key, result: receipt.leaf.result_hash, attestation };
            handle.commitment() == receipt.leaf.handle
        }
        _ => false,
    };
    Check::new(
        "handle",
        matches,
        "inputs, program, key, result and attestation give the leaf's handle",
        "inputs, program, key, result and attestation do not give the leaf's handle",
    )
}

fn inclusion(receipt: &Receipt) -> Check {
    let name = "inclusion";
    if !merkle::are_canonical(&receipt.entries) {
        return Check::new(
            name,
            false,
            "",
            "the entries are not canonical: words must increase, masks must not be zero",
        );
    }
    let Some(rank) = merkle::rank(&receipt.entries, receipt.leaf.index) else {
        return Check::new(name, false, "", format!("index {} is not among the entries", receipt.leaf.index.get()));
    };
    let count = merkle::count(&receipt.entries);
    Check::new(
        name,
        merkle::verify(receipt.root, receipt.leaf.hash(), rank, count, &receipt.proof),
        format!("the proof leads from the leaf, number {} of {count}, to the root", rank + 1),
        format!("the proof does not lead from the leaf, number {} of {count}, to the root", rank + 1),
    )
}
