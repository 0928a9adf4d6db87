//! The receipt: a document with which anyone can check, from the chain alone, how a job was confirmed.

mod schema;

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::leaf::Leaf;
use crate::merkle::{Entry, Inclusion};

pub use schema::receipt_schema;

/// The version that this code writes and reads.
pub const RECEIPT_VERSION: u32 = 1;
/// Name of the document's layout.
pub const RECEIPT_SCHEMA: &str = "zama-jobs/receipt/v1";

/// Byte strings are 0x-hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    #[schema(example = 1)]
    pub version: u32,
    #[schema(example = "zama-jobs/receipt/v1")]
    pub schema: String,
    pub leaf: Leaf,
    /// `abi.encode(leaf)`.
    #[schema(value_type = String)]
    pub leaf_abi: Bytes,
    /// `keccak256(keccak256(leaf_abi))`.
    #[schema(value_type = String)]
    pub leaf_hash: B256,
    /// SHA-256(salt | content hash of the submitted body) is the leaf's content hash.
    #[schema(value_type = String)]
    pub salt: B256,
    /// Siblings from the leaf upwards.
    #[schema(value_type = Vec<String>)]
    pub proof: Vec<B256>,
    /// Indices of the batch.
    pub entries: Vec<Entry>,
    #[schema(value_type = String)]
    pub root: B256,
    pub chain_id: u64,
    #[schema(value_type = String)]
    pub registry: Address,
    /// The transaction whose BatchConfirmed event carries the root.
    #[schema(value_type = String)]
    pub tx_hash: B256,
    pub block_number: u64,
    #[schema(value_type = String)]
    pub block_hash: B256,
    /// Plain or failed job: content hash of the submitted body. Encrypted job: hash of the encrypted inputs.
    #[schema(value_type = Option<String>, required = true)]
    #[serde(deserialize_with = "present")]
    pub input_hash: Option<B256>,
    /// Encrypted job: hash of the program; null for a plain one.
    #[schema(value_type = Option<String>, required = true)]
    #[serde(deserialize_with = "present")]
    pub program_hash: Option<B256>,
    /// Encrypted job: id of the key; null for a plain one.
    #[schema(value_type = Option<String>, required = true)]
    #[serde(deserialize_with = "present")]
    pub key_hash: Option<B256>,
    /// Encrypted job: the worker's signature over the computation; null for a plain one.
    #[schema(value_type = Option<String>, required = true)]
    #[serde(deserialize_with = "present")]
    pub attestation: Option<Bytes>,
    /// What made the receipt; nothing depends on it.
    #[schema(example = "zama-jobs 0.1.0")]
    pub software: String,
}

/// Without a function of its own serde reads an absent field as null. Here it is null, never absent: a receipt that
/// lacks one was cut.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// Where a batch's event stands on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub chain_id: u64,
    pub registry: Address,
    pub tx_hash: B256,
    pub block_number: u64,
    pub block_hash: B256,
}

/// Where an encrypted job's result came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// Hash of the encrypted inputs.
    pub inputs: B256,
    /// Hash of the program.
    pub program: B256,
    /// Id of the key.
    pub key: B256,
    /// The worker's signature over all of it.
    pub attestation: Bytes,
}

impl Receipt {
    /// The receipt of a plain job: `content_hash` is that of the submitted body, `salt` the one in its leaf.
    pub fn of_plain_job(leaf: Leaf, salt: B256, content_hash: B256, inclusion: Inclusion, anchor: Anchor) -> Self {
        Self {
            version: RECEIPT_VERSION,
            schema: RECEIPT_SCHEMA.to_owned(),
            leaf_abi: Bytes::from(leaf.abi_encode()),
            leaf_hash: leaf.hash(),
            leaf,
            salt,
            proof: inclusion.proof,
            entries: inclusion.entries,
            root: inclusion.root,
            chain_id: anchor.chain_id,
            registry: anchor.registry,
            tx_hash: anchor.tx_hash,
            block_number: anchor.block_number,
            block_hash: anchor.block_hash,
            input_hash: Some(content_hash),
            program_hash: None,
            key_hash: None,
            attestation: None,
            software: concat!("zama-jobs ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The receipt of an encrypted job: it tells what the leaf's handle commits to.
    pub fn of_encrypted_job(leaf: Leaf, salt: B256, lineage: Lineage, inclusion: Inclusion, anchor: Anchor) -> Self {
        Self {
            input_hash: Some(lineage.inputs),
            program_hash: Some(lineage.program),
            key_hash: Some(lineage.key),
            attestation: Some(lineage.attestation),
            ..Self::of_plain_job(leaf, salt, B256::ZERO, inclusion, anchor)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::leaf::{Index, LeafStatus, salted_content_hash};
    use crate::merkle::Batch;

    fn receipt() -> Receipt {
        let (salt, content_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let leaf = Leaf {
            index: Index::new(9),
            job_id: B256::ZERO,
            submitter: Address::ZERO,
            result_hash: B256::ZERO,
            status: LeafStatus::Completed,
            content_hash: salted_content_hash(salt, content_hash),
            handle: B256::ZERO,
        };
        let inclusion = Batch::seal(std::slice::from_ref(&leaf)).unwrap().inclusion(0).unwrap();
        let anchor = Anchor {
            chain_id: 31337,
            registry: Address::repeat_byte(0xaa),
            tx_hash: B256::repeat_byte(3),
            block_number: 7,
            block_hash: B256::repeat_byte(4),
        };
        Receipt::of_plain_job(leaf, salt, content_hash, inclusion, anchor)
    }

    #[test]
    fn json_has_every_field_and_reads_back() {
        let json = serde_json::to_value(receipt()).unwrap();
        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut documented = vec![
            "version",
            "schema",
            "leaf",
            "leaf_abi",
            "leaf_hash",
            "salt",
            "proof",
            "entries",
            "root",
            "chain_id",
            "registry",
            "tx_hash",
            "block_number",
            "block_hash",
            "input_hash",
            "program_hash",
            "key_hash",
            "attestation",
            "software",
        ];
        documented.sort_unstable();
        let mut names_sorted = names;
        names_sorted.sort_unstable();
        assert_eq!(names_sorted, documented);
        assert_eq!(json["attestation"], Value::Null);
        assert_eq!(json["registry"], "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(json["leaf_abi"].as_str().unwrap().len(), 2 + 2 * 224);
        assert_eq!(serde_json::from_value::<Receipt>(json).unwrap(), receipt());
    }

    #[test]
    fn an_unknown_or_missing_field_is_refused() {
        let json = serde_json::to_value(receipt()).unwrap();
        let mut more = json.clone();
        more["extra"] = Value::Null;
        assert!(serde_json::from_value::<Receipt>(more).is_err());
        let names: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut less = json.clone();
            less.as_object_mut().unwrap().remove(&name);
            let error = serde_json::from_value::<Receipt>(less).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{name}`")), "{error}");
        }
    }
}
