//! What a confirmer signs so that anybody may relay its batch.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::{SolStruct, eip712_domain};

mod typed {
    alloy::sol! {
        struct ConfirmBatch {
            bytes32 root;
            bytes32 entriesHash;
            uint256 deadline;
        }
    }
}

/// A batch and until when it may be relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStatement {
    pub root: B256,
    /// keccak256(abi.encode(entries)): `jobs::merkle::entries_hash`.
    pub entries_hash: B256,
    /// Last second, in Unix time as blocks count it.
    pub deadline: u64,
}

impl BatchStatement {
    /// The digest that `confirmBatchSigned` wants signed: EIP-712, in the domain of one registry on one chain.
    pub fn signing_hash(&self, chain_id: u64, registry: Address) -> B256 {
        let domain = eip712_domain! {
            name: "ZamaJobs",
            version: "1",
            chain_id: chain_id,
            verifying_contract: registry,
        };
        let Self { root, entries_hash, deadline } = *self;
        typed::ConfirmBatch { root, entriesHash: entries_hash, deadline: U256::from(deadline) }
            .eip712_signing_hash(&domain)
    }
}
