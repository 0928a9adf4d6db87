//! One node's answers about the registry at a block that the caller names: for whoever compares several nodes.

use std::time::Duration;

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, Bytes};
use alloy::providers::{Provider, RootProvider};
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::ZamaJobsRegistryInstance;
use jobs::leaf::Leaf;
use jobs::merkle::Inclusion;

use crate::{ChainError, rpc};

/// A connection to one node; asks nothing of it by itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) provider: RootProvider,
    pub(crate) registry: Address,
}

/// A block as one node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub number: u64,
    pub hash: B256,
}

impl Node {
    /// A node whose requests each end within `timeout`.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(rpc_url: &str, registry: Address, timeout: Duration) -> Result<Self, ChainError> {
        Ok(Self { provider: rpc::provider(rpc_url, timeout)?, registry })
    }

    /// Id of the chain that it serves.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        Ok(self.provider.get_chain_id().await?)
    }

    /// Its newest block.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn newest(&self) -> Result<Block, ChainError> {
        let block = self.block(BlockNumberOrTag::Latest).await?;
        block.ok_or_else(|| ChainError::Unavailable("the node knows no block".to_owned()))
    }

    /// Its newest finalized block; `None` on a chain that has none.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn finalized(&self) -> Result<Option<Block>, ChainError> {
        self.block(BlockNumberOrTag::Finalized).await
    }

    /// Its canonical block of this number, if it has one.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn canonical(&self, number: u64) -> Result<Option<Block>, ChainError> {
        self.block(BlockNumberOrTag::Number(number)).await
    }

    /// The code at the registry's address.
    ///
    /// # Errors
    /// The node is unavailable or does not have the block's state.
    pub async fn code(&self, at: Block) -> Result<Bytes, ChainError> {
        Ok(self.provider.get_code_at(self.registry).block_id(id(at)).await?)
    }

    /// Whether the root was confirmed.
    ///
    /// # Errors
    /// As [`Node::code`].
    pub async fn is_batch(&self, at: Block, root: B256) -> Result<bool, ChainError> {
        let hash = self.registry().batchEntriesHash(root).block(id(at)).call().await?;
        Ok(!hash.is_zero())
    }

    /// The registry's verdict on a leaf.
    ///
    /// # Errors
    /// As [`Node::code`].
    pub async fn includes(&self, at: Block, leaf: &Leaf, inclusion: &Inclusion) -> Result<bool, ChainError> {
        let entries = inclusion.entries.iter().map(Into::into).collect();
        let registry = self.registry();
        let call = registry.verifyInclusion(inclusion.root, entries, leaf.into(), inclusion.proof.clone());
        Ok(call.block(id(at)).call().await?)
    }

    /// Whether the submitter in the leaf of this hash has granted `account` access.
    ///
    /// # Errors
    /// As [`Node::code`].
    pub async fn has_access(&self, at: Block, leaf_hash: B256, account: Address) -> Result<bool, ChainError> {
        Ok(self.registry().hasAccess(leaf_hash, account).block(id(at)).call().await?)
    }

    /// The key manager that the registry pins; `None` while there is none.
    ///
    /// # Errors
    /// As [`Node::code`].
    pub async fn key_manager(&self, at: Block) -> Result<Option<Address>, ChainError> {
        let manager = self.registry().keyManager().block(id(at)).call().await?;
        Ok(Some(manager).filter(|manager| !manager.is_zero()))
    }

    async fn block(&self, which: BlockNumberOrTag) -> Result<Option<Block>, ChainError> {
        let block = self.provider.get_block_by_number(which).await?;
        Ok(block.map(|block| Block { number: block.header.number, hash: block.header.hash }))
    }

    pub(crate) fn registry(&self) -> ZamaJobsRegistryInstance<&RootProvider> {
        ZamaJobsRegistry::new(self.registry, &self.provider)
    }
}

/// By its hash: a number would mean another block after a reorganisation.
fn id(block: Block) -> BlockId {
    BlockId::hash_canonical(block.hash)
}
