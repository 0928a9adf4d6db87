//! What the chain confirms about one job: the leaf, its ABI encoding and its hash, as `ZamaJobsRegistry` computes them.

use alloy::primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// Length of a leaf's ABI encoding in bytes: seven words.
pub const LEAF_ABI_LENGTH: usize = 7 * 32;

/// A job's sequential number on chain: given when the job is first sealed, and for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Index(u64);

impl Index {
    /// The index with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The word of the registry's bitmap that holds this index.
    pub const fn word(self) -> u64 {
        self.0 / 256
    }

    /// The bit of that word.
    pub const fn bit(self) -> u8 {
        (self.0 % 256) as u8
    }
}

/// How a confirmed job ended, as the leaf's number says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum LeafStatus {
    /// 1: the job has a result.
    Completed,
    /// 2: the job failed; its result hash is zero.
    Failed,
}

impl From<LeafStatus> for u8 {
    fn from(status: LeafStatus) -> u8 {
        match status {
            LeafStatus::Completed => 1,
            LeafStatus::Failed => 2,
        }
    }
}

/// A number that stands for no [`LeafStatus`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a leaf status: 1 is completed, 2 is failed")]
pub struct UnknownLeafStatus(pub u8);

impl TryFrom<u8> for LeafStatus {
    type Error = UnknownLeafStatus;

    fn try_from(number: u8) -> Result<Self, UnknownLeafStatus> {
        match number {
            1 => Ok(Self::Completed),
            2 => Ok(Self::Failed),
            other => Err(UnknownLeafStatus(other)),
        }
    }
}

/// One job's leaf in the Merkle tree of its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The job's sequential number.
    pub index: Index,
    /// The 16 bytes of the job's UUID, left-aligned ([`crate::JobId::to_word`]).
    #[schema(value_type = String)]
    pub job_id: B256,
    /// Registered address of the client that submitted the job.
    #[schema(value_type = String)]
    pub submitter: Address,
    /// SHA-256 of the bytes that GET result returns; zero for a failed job.
    #[schema(value_type = String)]
    pub result_hash: B256,
    /// 1 completed, 2 failed.
    #[schema(value_type = u8)]
    pub status: LeafStatus,
    /// [`salted_content_hash`] of the submitted body.
    #[schema(value_type = String)]
    pub content_hash: B256,
    /// [`Handle::commitment`] of an encrypted job; zero for a plain one.
    #[schema(value_type = String)]
    pub handle: B256,
}

impl Leaf {
    /// `abi.encode(leaf)`.
    pub fn abi_encode(&self) -> [u8; LEAF_ABI_LENGTH] {
        encode_words([
            B256::from(U256::from(self.index.get())),
            self.job_id,
            self.submitter.into_word(),
            self.result_hash,
            B256::with_last_byte(self.status.into()),
            self.content_hash,
            self.handle,
        ])
    }

    /// `keccak256(keccak256(abi.encode(leaf)))`: hashed twice, so that no inner node can pose as a leaf.
    pub fn hash(&self) -> B256 {
        keccak256(keccak256(self.abi_encode()))
    }
}

/// The leaf's content hash: SHA-256(salt | content hash). The salt keeps a body that could be guessed from being
/// recognised on chain; it stands in the receipt.
pub fn salted_content_hash(salt: B256, content_hash: B256) -> B256 {
    let digest = Sha256::new().chain_update(salt).chain_update(content_hash).finalize();
    B256::from_slice(&digest)
}

/// What an encrypted job's leaf commits to beside its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Hash of the encrypted inputs.
    pub inputs: B256,
    /// Hash of the program.
    pub program: B256,
    /// Id of the key that the result is encrypted under.
    pub key: B256,
    /// SHA-256 of the encrypted result.
    pub result: B256,
    /// keccak256 of the worker's attestation: of its signature's 65 bytes.
    pub attestation: B256,
}

impl Handle {
    /// `keccak256(abi.encode(inputsHash, programHash, keyId, resultHash, attestationHash))`.
    pub fn commitment(&self) -> B256 {
        let encoded: [u8; 5 * 32] = encode_words([self.inputs, self.program, self.key, self.result, self.attestation]);
        keccak256(encoded)
    }
}

fn encode_words<const WORDS: usize, const BYTES: usize>(words: [B256; WORDS]) -> [u8; BYTES] {
    const { assert!(BYTES == WORDS * 32) };
    let mut encoded = [0; BYTES];
    for (slot, word) in encoded.chunks_exact_mut(32).zip(words) {
        slot.copy_from_slice(word.as_slice());
    }
    encoded
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{address, b256};
    use alloy::sol_types::SolValue;

    use uuid::Uuid;

    use super::*;
    use crate::JobId;

    fn leaf() -> Leaf {
        Leaf {
            index: Index::new(513),
            job_id: JobId(Uuid::from_u128(0x0193_5a5a_0000_7000_8000_0000_0000_0001)).to_word().into(),
            submitter: address!("70997970c51812dc3a010c7d01b50e0d17dc79c8"),
            result_hash: B256::repeat_byte(0x11),
            status: LeafStatus::Failed,
            content_hash: B256::repeat_byte(0x22),
            handle: B256::repeat_byte(0x33),
        }
    }

    #[test]
    fn encoding_is_solidity_s() {
        let leaf = leaf();
        let expected = (
            U256::from(513),
            leaf.job_id,
            leaf.submitter,
            leaf.result_hash,
            U256::from(2),
            leaf.content_hash,
            leaf.handle,
        )
            .abi_encode();
        assert_eq!(leaf.abi_encode().as_slice(), expected);
    }

    #[test]
    fn job_id_is_left_aligned() {
        assert_eq!(leaf().job_id, b256!("01935a5a000070008000000000000001 00000000000000000000000000000000"));
    }

    #[test]
    fn salt_and_body_both_count() {
        let (salt, content) = (B256::repeat_byte(1), B256::repeat_byte(2));
        // printf '%064s' | sed: 32 bytes of 01, then 32 of 02, through sha256sum.
        assert_eq!(
            salted_content_hash(salt, content),
            b256!("f818afd37a6dc3bc92fb44731011277006db4efa6e9023cd7468c02335d22a4d")
        );
        assert_ne!(salted_content_hash(salt, content), salted_content_hash(content, salt));
    }

    #[test]
    fn json_holds_the_chain_s_values() {
        let json = serde_json::to_value(leaf()).unwrap();
        assert_eq!(json["index"], 513);
        assert_eq!(json["status"], 2);
        assert_eq!(json["submitter"], "0x70997970c51812dc3a010c7d01b50e0d17dc79c8");
        assert_eq!(serde_json::from_value::<Leaf>(json.clone()).unwrap(), leaf());
        let mut unknown = json;
        unknown["status"] = 3.into();
        assert!(serde_json::from_value::<Leaf>(unknown).is_err());
    }
}
