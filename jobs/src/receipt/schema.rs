//! JSON Schema (draft 2020-12) of a receipt, committed as `docs/receipt.schema.json` and served by the API. Run the tests
//! with `UPDATE_SCHEMAS=1` to write it anew.

use serde_json::{Value, json};

use super::{RECEIPT_SCHEMA, RECEIPT_VERSION};

/// The schema of a receipt of version 1. What no schema can say (that hashes and proof agree) is `zama-jobs verify`'s.
#[must_use]
pub fn receipt_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:zama-jobs:receipt:v1",
        "title": "Receipt of a job",
        "description": "With it anyone can check, from the chain alone, how a job was confirmed. Every member is there; what a job does not have is null.",
        "type": "object",
        "properties": {
            "version": { "const": RECEIPT_VERSION },
            "schema": { "const": RECEIPT_SCHEMA },
            "leaf": { "$ref": "#/$defs/leaf" },
            "leaf_abi": {
                "description": "abi.encode(leaf): seven words.",
                "type": "string",
                "pattern": "^0x[0-9a-fA-F]{448}$"
            },
            "leaf_hash": { "description": "keccak256(keccak256(leaf_abi)).", "$ref": "#/$defs/word" },
            "salt": {
                "description": "SHA-256(salt | content hash of the submitted body) is leaf.content_hash.",
                "$ref": "#/$defs/word"
            },
            "proof": {
                "description": "Siblings of the leaf, from the bottom up.",
                "type": "array",
                "items": { "$ref": "#/$defs/word" },
                "maxItems": 64
            },
            "entries": {
                "description": "The batch's indices: words strictly increasing, no mask zero.",
                "type": "array",
                "items": { "$ref": "#/$defs/entry" },
                "minItems": 1
            },
            "root": { "description": "Merkle root of the batch.", "$ref": "#/$defs/word" },
            "chain_id": { "$ref": "#/$defs/number" },
            "registry": { "description": "The ZamaJobsRegistry.", "$ref": "#/$defs/address" },
            "tx_hash": {
                "description": "The transaction whose BatchConfirmed event carries the root.",
                "$ref": "#/$defs/word"
            },
            "block_number": { "$ref": "#/$defs/number" },
            "block_hash": { "$ref": "#/$defs/word" },
            "input_hash": {
                "description": "Plain or failed job: content hash of the submitted body. Encrypted job: hash of the encrypted inputs.",
                "$ref": "#/$defs/word_or_null"
            },
            "program_hash": {
                "description": "Encrypted job: hash of the program; else null.",
                "$ref": "#/$defs/word_or_null"
            },
            "key_hash": { "description": "Encrypted job: id of the key; else null.", "$ref": "#/$defs/word_or_null" },
            "attestation": {
                "description": "Encrypted job: the worker's signature over the computation (r, s, v); else null.",
                "anyOf": [{ "$ref": "#/$defs/bytes" }, { "type": "null" }]
            },
            "software": { "description": "What made the receipt; nothing depends on it.", "type": "string" }
        },
        "required": [
            "version", "schema", "leaf", "leaf_abi", "leaf_hash", "salt", "proof", "entries", "root", "chain_id",
            "registry", "tx_hash", "block_number", "block_hash", "input_hash", "program_hash", "key_hash",
            "attestation", "software"
        ],
        "additionalProperties": false,
        "$defs": {
            "leaf": {
                "description": "What is confirmed about the job.",
                "type": "object",
                "properties": {
                    "index": { "description": "The job's sequential number.", "$ref": "#/$defs/number" },
                    "job_id": {
                        "description": "The 16 bytes of the job's UUID, left-aligned.",
                        "type": "string",
                        "pattern": "^0x[0-9a-fA-F]{32}0{32}$"
                    },
                    "submitter": { "$ref": "#/$defs/address" },
                    "result_hash": {
                        "description": "SHA-256 of the bytes that GET result returns; zero for a failed job.",
                        "$ref": "#/$defs/word"
                    },
                    "status": { "description": "1 completed, 2 failed.", "enum": [1, 2] },
                    "content_hash": { "$ref": "#/$defs/word" },
                    "handle": {
                        "description": "Commits to inputs, program, key, result and attestation of an encrypted job; else zero.",
                        "$ref": "#/$defs/word"
                    }
                },
                "required": ["index", "job_id", "submitter", "result_hash", "status", "content_hash", "handle"],
                "additionalProperties": false
            },
            "entry": {
                "description": "256 neighbouring indices: bit b of the mask stands for index word * 256 + b.",
                "type": "object",
                "properties": { "word": { "$ref": "#/$defs/number" }, "mask": { "$ref": "#/$defs/word" } },
                "required": ["word", "mask"],
                "additionalProperties": false
            },
            "number": { "type": "integer", "minimum": 0 },
            "word": { "type": "string", "pattern": "^0x[0-9a-fA-F]{64}$" },
            "word_or_null": { "anyOf": [{ "$ref": "#/$defs/word" }, { "type": "null" }] },
            "address": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" },
            "bytes": { "type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$" }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use alloy::primitives::{Address, B256};
    use serde_json::Map;

    use super::*;
    use crate::leaf::{Index, Leaf, LeafStatus, salted_content_hash};
    use crate::merkle::Batch;
    use crate::receipt::{Anchor, Lineage, Receipt};

    #[test]
    fn the_committed_schema_is_that_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/receipt.schema.json");
        let expected = format!("{:#}\n", receipt_schema());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(committed, expected, "{} is stale: run the tests with UPDATE_SCHEMAS=1", path.display());
    }

    fn receipts() -> [Receipt; 3] {
        let salt = B256::repeat_byte(1);
        let leaf = |index, status, handle| Leaf {
            index: Index::new(index),
            job_id: B256::from(crate::JobId::generate().to_word()),
            submitter: Address::repeat_byte(9),
            result_hash: if status == LeafStatus::Failed { B256::ZERO } else { B256::repeat_byte(3) },
            status,
            content_hash: salted_content_hash(salt, B256::repeat_byte(2)),
            handle,
        };
        let leaves = [
            leaf(4, LeafStatus::Completed, B256::ZERO),
            leaf(5, LeafStatus::Failed, B256::ZERO),
            leaf(600, LeafStatus::Completed, B256::repeat_byte(5)),
        ];
        let batch = Batch::seal(&leaves).unwrap();
        let anchor = || Anchor {
            chain_id: 31337,
            registry: Address::repeat_byte(7),
            tx_hash: B256::repeat_byte(6),
            block_number: 8,
            block_hash: B256::repeat_byte(4),
        };
        let plain = |at: usize| {
            let inclusion = batch.inclusion(at).unwrap();
            Receipt::of_plain_job(leaves[at].clone(), salt, B256::repeat_byte(2), inclusion, anchor())
        };
        let (inputs, program, key) = (B256::repeat_byte(1), B256::repeat_byte(2), B256::repeat_byte(3));
        let lineage = Lineage { inputs, program, key, attestation: vec![4; 65].into() };
        let inclusion = batch.inclusion(2).unwrap();
        [plain(0), plain(1), Receipt::of_encrypted_job(leaves[2].clone(), salt, lineage, inclusion, anchor())]
    }

    #[test]
    fn every_kind_of_receipt_fits_it() {
        for receipt in receipts() {
            assert_eq!(misfit(&json!(receipt)), None);
        }
    }

    #[test]
    fn what_the_reader_refuses_does_not_fit_it_either() {
        let honest = json!(receipts()[2]);
        let altered = |alter: &dyn Fn(&mut Map<String, Value>)| {
            let mut document = honest.clone();
            alter(document.as_object_mut().unwrap());
            assert!(serde_json::from_value::<Receipt>(document.clone()).is_err(), "{document}");
            assert!(misfit(&document).is_some(), "{document}");
        };
        for name in honest.as_object().unwrap().keys() {
            altered(&|receipt| drop(receipt.remove(name)));
        }
        for name in honest["leaf"].as_object().unwrap().keys() {
            altered(&|receipt| drop(receipt["leaf"].as_object_mut().unwrap().remove(name)));
        }
        altered(&|receipt| drop(receipt.insert("extra".to_owned(), Value::Null)));
        altered(&|receipt| receipt["leaf"]["status"] = json!(3));
        altered(&|receipt| receipt["leaf"]["index"] = json!(-1));
        altered(&|receipt| receipt["root"] = json!("0x12"));
        altered(&|receipt| receipt["attestation"] = json!("0x123"));
        altered(&|receipt| receipt["entries"][0]["mask"] = json!(7));
    }

    fn misfit(document: &Value) -> Option<String> {
        let schema = receipt_schema();
        fits(&schema, &schema, document).err()
    }

    /// As much of JSON Schema as this schema uses; a keyword that it does not know fails.
    fn fits(schema: &Value, root: &Value, value: &Value) -> Result<(), String> {
        let check = |holds: bool, keyword: &str| if holds { Ok(()) } else { Err(format!("{keyword}: {value}")) };
        for (keyword, wanted) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                    fits(root.pointer(pointer).unwrap(), root, value)?;
                }
                "const" => check(value == wanted, keyword)?,
                "enum" => check(wanted.as_array().unwrap().contains(value), keyword)?,
                "type" => check(is_a(value, wanted.as_str().unwrap()), keyword)?,
                "minimum" => check(value.as_i64() >= wanted.as_i64(), keyword)?,
                "minItems" => check(value.as_array().map(Vec::len) >= wanted.as_u64().map(|n| n as usize), keyword)?,
                "maxItems" => check(value.as_array().map(Vec::len) <= wanted.as_u64().map(|n| n as usize), keyword)?,
                "pattern" => {
                    check(value.as_str().is_some_and(|text| matches(wanted.as_str().unwrap(), text)), keyword)?
                }
                "anyOf" => {
                    let any = wanted.as_array().unwrap().iter().any(|one| fits(one, root, value).is_ok());
                    check(any, keyword)?;
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        fits(wanted, root, item)?;
                    }
                }
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        wanted.get(name).map_or(Ok(()), |wanted| fits(wanted, root, member))?;
                    }
                }
                "required" => {
                    let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                    check(wanted.as_array().unwrap().iter().all(has), keyword)?;
                }
                "additionalProperties" => {
                    assert_eq!(wanted, &json!(false));
                    let known = |name: &String| schema["properties"].get(name).is_some();
                    check(value.as_object().is_some_and(|object| object.keys().all(known)), keyword)?;
                }
                other => panic!("{other} is not known here"),
            }
        }
        Ok(())
    }

    fn is_a(value: &Value, kind: &str) -> bool {
        match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "null" => value.is_null(),
            other => panic!("{other} is not known here"),
        }
    }

    /// The patterns here are 0x and hex digits, of a length or in pairs.
    fn matches(pattern: &str, text: &str) -> bool {
        let Some(digits) = text.strip_prefix("0x") else { return false };
        let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
        is_hex
            && match pattern {
                "^0x([0-9a-fA-F]{2})*$" => digits.len().is_multiple_of(2),
                "^0x[0-9a-fA-F]{32}0{32}$" => digits.len() == 64 && digits[32..].chars().all(|c| c == '0'),
                fixed => {
                    let length = fixed.strip_prefix("^0x[0-9a-fA-F]{").and_then(|rest| rest.strip_suffix("}$"));
                    digits.len() == length.unwrap().parse::<usize>().unwrap()
                }
            }
    }
}
