//! What the confirmation of a batch cost, as the receipt of its transaction tells it: whoever sent that.

use alloy::primitives::B256;
use alloy::providers::{Provider, RootProvider};

use crate::{ChainClient, ChainError, Confirmed, ConfirmedBatch, Node};

/// What a transaction cost its sender: `used` times `price`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gas {
    /// Units of gas, of the whole transaction.
    pub used: u64,
    /// Wei for each of them: base fee and tip.
    pub price: u128,
}

impl ChainClient {
    /// What the transaction cost that confirmed a batch.
    ///
    /// # Errors
    /// The node is unavailable, or has the event and no receipt in its block: it is behind itself, or the chain changed
    /// since the event was found. Try again.
    pub async fn gas(&self, confirmed: &Confirmed) -> Result<Gas, ChainError> {
        let (transaction, block) = (confirmed.tx_hash, confirmed.block_hash);
        let gas = of(&self.provider, transaction, block).await?;
        gas.ok_or_else(|| {
            let fault = format!("the node has no receipt of transaction {transaction} in block {block}");
            ChainError::Unavailable(fault)
        })
    }
}

impl Node {
    /// What the transaction cost that confirmed a batch, however long ago; `None` when the node does not keep receipts
    /// for so long.
    ///
    /// # Errors
    /// The node is unavailable.
    pub async fn gas(&self, batch: &ConfirmedBatch) -> Result<Option<Gas>, ChainError> {
        of(&self.provider, batch.tx_hash, batch.block.hash).await
    }
}

async fn of(provider: &RootProvider, transaction: B256, block: B256) -> Result<Option<Gas>, ChainError> {
    let receipt = provider.get_transaction_receipt(transaction).await?;
    let here = receipt.filter(|receipt| receipt.block_hash == Some(block));
    Ok(here.map(|receipt| Gas { used: receipt.gas_used, price: receipt.effective_gas_price }))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, Bloom};
    use alloy::providers::ProviderBuilder;
    use alloy::providers::mock::Asserter;
    use serde_json::{Value, json};

    use super::*;

    const TRANSACTION: B256 = B256::repeat_byte(4);
    const BLOCK: B256 = B256::repeat_byte(5);

    /// What is made of a node's answer.
    async fn told(answer: &Value) -> Result<Option<Gas>, ChainError> {
        let node = Asserter::new();
        node.push_success(answer);
        let provider = ProviderBuilder::default().connect_mocked_client(node);
        of(&provider, TRANSACTION, BLOCK).await
    }

    #[tokio::test]
    async fn a_receipt_counts_in_the_block_that_holds_the_event_and_in_no_other() {
        let receipt = |block: B256| {
            json!({
                "type": "0x2", "status": "0x1", "transactionHash": TRANSACTION, "transactionIndex": "0x1",
                "blockHash": block, "blockNumber": "0x7", "from": Address::ZERO, "to": Address::ZERO,
                "contractAddress": null, "cumulativeGasUsed": "0x1e240", "gasUsed": "0x10e1a",
                "effectiveGasPrice": "0x3b9aca07", "logs": [], "logsBloom": Bloom::ZERO
            })
        };
        let gas = Gas { used: 69_146, price: 1_000_000_007 };
        assert_eq!(told(&receipt(BLOCK)).await.unwrap(), Some(gas), "its own, not the block's up to it");
        assert_eq!(told(&receipt(B256::repeat_byte(6))).await.unwrap(), None, "a reorganisation moved it");
        assert_eq!(told(&Value::Null).await.unwrap(), None);
    }
}
