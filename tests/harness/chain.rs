//! What the chain says, asked without the product's help.

use alloy::primitives::U256;
use alloy::providers::{Provider, ProviderBuilder};
use chain::verify::{Source, verify_receipt};
use contracts::ZamaJobsRegistry;
use jobs::receipt::Receipt;

use super::patience::until;
use super::stack::Stack;

/// anvil's account 1, which a development stack confirms with.
const CONFIRMER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

impl Stack {
    fn registry(&self) -> ZamaJobsRegistry::ZamaJobsRegistryInstance<impl Provider> {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        ZamaJobsRegistry::new(self.registry.parse().unwrap(), provider)
    }

    /// Every index that an event of the registry confirmed, as often as one did.
    pub async fn confirmed_indices(&self) -> Vec<u64> {
        let registry = self.registry();
        let events = registry.BatchConfirmed_filter().from_block(0).query().await.unwrap();
        let entries = events.iter().flat_map(|(event, _)| &event.entries);
        entries
            .flat_map(|entry| {
                let word = u64::try_from(entry.word).unwrap();
                (0..256).filter(|bit| entry.mask.bit(*bit)).map(move |bit| word * 256 + bit as u64)
            })
            .collect()
    }

    /// Confirms an index that is nobody's yet, behind the batcher's back and with its rights.
    pub async fn confirms_elsewhere(&self, index: u64) {
        let mask = U256::from(1) << (index % 256);
        let entries = vec![ZamaJobsRegistry::Entry { word: U256::from(index / 256), mask }];
        let call = self.registry().confirmBatch(alloy::primitives::B256::repeat_byte(7), entries).calldata().clone();
        let transaction = serde_json::json!([{"from": CONFIRMER, "to": self.registry, "data": call}]);
        self.calls_node("eth_sendTransaction", transaction).await;
        until("the index is confirmed", async || self.is_confirmed(index).await.then_some(())).await;
    }

    /// A call of the node, as a developer's tool makes it.
    pub async fn calls_node(&self, method: &'static str, params: serde_json::Value) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.raw_request::<_, serde_json::Value>(method.into(), params).await.unwrap();
    }

    /// Gives an account something to pay for gas with.
    pub async fn funds(&self, account: alloy::primitives::Address) {
        self.calls_node("anvil_setBalance", serde_json::json!([account, "0x8ac7230489e80000"])).await;
    }

    /// Waits until the node holds a transaction that is not mined.
    pub async fn holds_a_transaction(&self) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        until("a transaction waits at the node", async || {
            let pool: serde_json::Value = provider.raw_request("txpool_status".into(), ()).await.ok()?;
            (pool["pending"] != "0x0").then_some(())
        })
        .await;
    }

    /// Waits until the chain's last blocks stand in the node's file.
    pub async fn has_written_the_chain(&self) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let head = provider.get_block_number().await.unwrap();
        until("the chain is written", async || (self.place.written_block()? >= head).then_some(())).await;
    }

    pub async fn is_confirmed(&self, index: u64) -> bool {
        self.registry().isConfirmed(U256::from(index)).call().await.unwrap()
    }

    /// `zama-jobs chain …` with the stack's settings, as its operator runs it.
    pub fn operates(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = std::process::Command::new(super::place::PROGRAM);
        command.arg("chain").args(arguments).current_dir(self.place.data_dir());
        command.env("ZAMA__CHAIN__RPC_URL", &self.rpc).env("ZAMA__CHAIN__REGISTRY", &self.registry);
        command.env("ZAMA__DATABASE__URL", self.place.env("ZAMA_DATABASE_URL"));
        command.output().unwrap()
    }

    /// Panics with the first check that does not hold.
    pub async fn verifies(&self, receipt: &Receipt) {
        let source = Source::Rpc { url: self.rpc.clone(), registry: Some(self.registry.parse().unwrap()) };
        let report = verify_receipt(receipt, &source).await;
        assert!(report.passed(), "{report:#?}");
    }
}
