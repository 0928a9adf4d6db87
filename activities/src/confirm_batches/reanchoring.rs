//! A chain that went back: batches whose block is gone are sent again, the same root and entries.

use anyhow::Result;
use chain::ChainClient;
use store::batches;

use super::ConfirmBatches;

/// Batches read in one go.
const LOOK_BACK: i64 = 50;

impl ConfirmBatches {
    /// Blocks vanish from the newest on, so the first batch whose block is still there ends the search.
    pub(super) async fn reanchor(&self, chain: &ChainClient) -> Result<()> {
        let registry = self.registry()?;
        batches::widen_search(&self.pool, &registry, i64::try_from(chain.block_number().await?)?).await?;
        loop {
            let anchored = batches::anchored(&self.pool, &registry, LOOK_BACK).await?;
            if anchored.is_empty() {
                return Ok(());
            }
            for batch in anchored {
                if chain.is_canonical(u64::try_from(batch.block_number)?, batch.block_hash.into()).await? {
                    return Ok(());
                }
                let block = batch.block_number;
                tracing::warn!(batch.id = %batch.id, chain.block = block, "the block is gone; anchoring again");
                metrics::counter!("zama_batches_reanchored_total").increment(1);
                batches::lift(&self.pool, batch.id).await?;
            }
        }
    }
}
