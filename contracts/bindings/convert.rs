//! From the vocabulary of `jobs` to the contract's argument types, and back.

use alloy::primitives::U256;
use jobs::leaf::Leaf;
use jobs::merkle::Entry;

use crate::ZamaJobsRegistry;

impl From<&Leaf> for ZamaJobsRegistry::Leaf {
    fn from(leaf: &Leaf) -> Self {
        Self {
            index: U256::from(leaf.index.get()),
            jobId: leaf.job_id,
            submitter: leaf.submitter,
            resultHash: leaf.result_hash,
            status: leaf.status.into(),
            contentHash: leaf.content_hash,
            handle: leaf.handle,
        }
    }
}

impl From<&Entry> for ZamaJobsRegistry::Entry {
    fn from(entry: &Entry) -> Self {
        Self { word: U256::from(entry.word), mask: entry.mask }
    }
}

/// The contract's words are wider than any index of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct WordTooLarge;

impl TryFrom<&ZamaJobsRegistry::Entry> for Entry {
    type Error = WordTooLarge;

    fn try_from(entry: &ZamaJobsRegistry::Entry) -> Result<Self, WordTooLarge> {
        let word = u64::try_from(entry.word).map_err(|_| WordTooLarge)?;
        Ok(Self { word, mask: entry.mask })
    }
}
