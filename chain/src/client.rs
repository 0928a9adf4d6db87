//! Reading the registry: a client that is bound to one chain and one registry.

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{Provider, RootProvider};
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::ZamaJobsRegistryInstance;
use jobs::leaf::{Index, Leaf};
use jobs::merkle::Inclusion;

use crate::confirmation::{self, Confirmed, Search, Standing, Stretch};
use crate::endpoints::Connection;
use crate::{Block, ChainError, Endpoints};

/// Which registry on which chain, and through which nodes.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    pub nodes: Endpoints,
    pub chain_id: u64,
    pub registry: Address,
    /// Depth from which a batch counts as confirmed; the event's own block is 1.
    pub confirmations: u64,
}

/// Which transactions of an account to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionCount {
    /// Those in blocks: any lower nonce is used up.
    Latest,
    /// And those that wait in the node's pool.
    Pending,
}

/// A connection to one registry. Cheap to clone; keeps no state between calls.
#[derive(Clone, Debug)]
pub struct ChainClient {
    pub(crate) provider: RootProvider,
    connection: Connection,
    config: ChainConfig,
}

impl ChainClient {
    /// Connects to the first healthy node: it must serve the right chain and have the registry's code.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`], [`ChainError::NotARegistry`], or the node is unavailable.
    pub async fn connect(config: ChainConfig) -> Result<Self, ChainError> {
        let connection = config.nodes.connect(config.chain_id, Some(config.registry)).await?;
        Ok(Self { provider: connection.provider.clone(), connection, config })
    }

    /// Leaves the node alone for a while, because of this error: the next [`Self::connect`] prefers another.
    pub fn leave_node(&self, why: &ChainError) {
        self.connection.leave(why);
    }

    /// Whether there is another node to go to.
    #[must_use]
    pub fn has_other_nodes(&self) -> bool {
        self.connection.has_others()
    }

    /// Asks the other nodes for their newest block, without waiting for them.
    pub fn ask_other_nodes(&self) {
        self.connection.ask_others();
    }

    /// What the client was made with.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Whether an event at this depth counts as confirmed.
    pub fn is_deep_enough(&self, confirmed: &Confirmed) -> bool {
        confirmed.depth >= self.config.confirmations
    }

    /// Number of the newest block.
    ///
    /// # Errors
    /// The node is unavailable, or far behind another one of the list.
    pub async fn block_number(&self) -> Result<u64, ChainError> {
        self.connection.head().await
    }

    /// Whether the registry takes no confirmations, because somebody paused it.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn is_paused(&self) -> Result<bool, ChainError> {
        Ok(self.registry().paused().call().await?)
    }

    /// Number of the newest finalized block; `None` where there is none.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn finalized_block(&self) -> Result<Option<u64>, ChainError> {
        confirmation::finalized_block(&self.provider).await
    }

    /// The newest block.
    ///
    /// # Errors
    /// As [`Self::block_number`].
    pub async fn newest(&self) -> Result<Block, ChainError> {
        let newest = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
        let header = newest.ok_or_else(|| ChainError::Unavailable("the node knows no block".to_owned()))?.header;
        self.connection.check_head(header.number)?;
        Ok(Block { number: header.number, hash: header.hash })
    }

    /// Looks for the canonical event that confirmed `root`, newest blocks first, in as many blocks as a few calls reach.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn search_confirmation(&self, root: B256, stretch: Stretch) -> Result<Search, ChainError> {
        confirmation::search(&self.provider, self.config.registry, root, stretch).await
    }

    /// How a block that was canonical once stands now.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn standing(&self, block_number: u64, block_hash: B256) -> Result<Standing, ChainError> {
        confirmation::standing(&self.provider, block_number, block_hash).await
    }

    /// Whether the index's bit is set. Says nothing about which batch set it: see [`Self::search_confirmation`].
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn is_confirmed(&self, index: Index) -> Result<bool, ChainError> {
        Ok(self.registry().isConfirmed(U256::from(index.get())).call().await?)
    }

    /// The registry's own verdict on a leaf.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn verify_inclusion(&self, leaf: &Leaf, inclusion: &Inclusion) -> Result<bool, ChainError> {
        let entries = inclusion.entries.iter().map(Into::into).collect();
        let registry = self.registry();
        Ok(registry.verifyInclusion(inclusion.root, entries, leaf.into(), inclusion.proof.clone()).call().await?)
    }

    /// Number of transactions of `account`, which is its next nonce.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn transaction_count(&self, account: Address, which: TransactionCount) -> Result<u64, ChainError> {
        let block = match which {
            TransactionCount::Latest => BlockId::latest(),
            TransactionCount::Pending => BlockId::pending(),
        };
        Ok(self.provider.get_transaction_count(account).block_id(block).await?)
    }

    pub(crate) fn registry(&self) -> ZamaJobsRegistryInstance<&RootProvider> {
        ZamaJobsRegistry::new(self.config.registry, &self.provider)
    }
}

/// Refuses an address that does not hold the registry's code.
pub(crate) async fn require_registry(provider: &RootProvider, address: Address) -> Result<(), ChainError> {
    let code = provider.get_code_at(address).await?;
    if contracts::is_registry_code(&code) { Ok(()) } else { Err(ChainError::NotARegistry(address)) }
}
