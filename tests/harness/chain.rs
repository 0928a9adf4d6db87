//! What the chain says, asked without the product's help.

use std::collections::BTreeMap;

use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, ProviderBuilder};
use chain::verify::{Report, Source, verify_receipt};
use contracts::ZamaJobsRegistry;
use jobs::receipt::Receipt;
use serde_json::json;
use sqlx::Row;

use super::job::JobHandle;
use super::patience::until;
use super::place::quantity;
use super::stack::Stack;

/// anvil's account 1, which a development stack confirms with.
pub const CONFIRMER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// anvil's account 0, the registry's admin.
pub const ADMIN: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A transaction that the batcher wrote down.
#[derive(Debug)]
pub struct Sent {
    pub hash: B256,
    pub nonce: i64,
    pub state: String,
    pub purpose: String,
    /// Wei for a unit of gas.
    pub max_fee: u128,
}

impl Stack {
    /// All transactions that were written down, in the order of their nonces and fees.
    pub async fn sent(&self) -> Vec<Sent> {
        let query = "SELECT tx_hash, nonce, state, purpose, max_fee_per_gas::text AS max_fee FROM chain_transactions
                      ORDER BY nonce, max_fee_per_gas";
        let rows = self.rows(sqlx::query(query)).await;
        let sent = rows.iter().map(|row| Sent {
            hash: B256::from_slice(row.get("tx_hash")),
            nonce: row.get("nonce"),
            state: row.get("state"),
            purpose: row.get("purpose"),
            max_fee: row.get::<String, _>("max_fee").parse().unwrap(),
        });
        sent.collect()
    }

    /// Waits until more transactions are written down than these many. Unlike one that waits at the node it can be seen at
    /// any time.
    pub async fn sends_more_than(&self, before: usize) {
        until("another transaction is sent", async || (self.sent().await.len() > before).then_some(())).await;
    }

    /// The first transaction that is written down and that the node holds in no block.
    pub async fn waiting_transaction(&self) -> Sent {
        self.holds_a_transaction().await;
        until("a transaction is sent", async || self.sent().await.into_iter().find(|sent| sent.state == "SENT")).await
    }

    /// No block comes any more, until [`Self::mines`].
    pub async fn stops_mining(&self) {
        self.calls_node("evm_setIntervalMining", json!([0])).await;
    }

    /// A block a second.
    pub async fn mines(&self) {
        self.calls_node("evm_setIntervalMining", json!([1])).await;
    }

    /// The base fee of the next block, in wei.
    pub async fn sets_base_fee(&self, wei: u128) {
        self.calls_node("anvil_setNextBlockBaseFeePerGas", json!([format!("{wei:#x}")])).await;
    }

    /// The newest `depth` blocks are replaced by others, which hold these transactions alone, each in the block of its
    /// number counted from the first new one.
    pub async fn reorganises(&self, depth: u64, kept: &[(Bytes, u64)]) {
        self.calls_node("anvil_reorg", json!([depth, kept])).await;
    }

    /// The newest `depth` blocks are gone, and none has taken their place yet.
    pub async fn rolls_back(&self, depth: u64) {
        self.calls_node("anvil_rollback", json!([depth])).await;
    }

    pub async fn head(&self) -> u64 {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.get_block_number().await.unwrap()
    }

    /// Hash of the block that has this number now.
    pub async fn block_hash(&self, number: u64) -> B256 {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.get_block_by_number(number.into()).await.unwrap().expect("the block is there").header.hash
    }

    /// Whose signature a transaction carries that the node has.
    pub async fn sender(&self, hash: B256) -> Address {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.get_transaction_by_hash(hash).await.unwrap().expect("the node has it").inner.signer()
    }

    /// What a transaction of the batcher's calls the registry with.
    pub async fn calldata(&self, hash: B256) -> Bytes {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let transaction = provider.get_transaction_by_hash(hash).await.unwrap().expect("the node has it");
        transaction.input().clone()
    }

    /// The batcher's transactions in the newest `depth` blocks, in the order of their nonces, as they were sent.
    pub async fn mined_lately(&self, depth: u64) -> Vec<Bytes> {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let oldest = self.head().await.saturating_sub(depth - 1);
        let rows = self.rows(sqlx::query("SELECT tx_hash, raw FROM chain_transactions ORDER BY nonce")).await;
        let mut mined = Vec::new();
        for row in rows {
            let hash = B256::from_slice(row.get("tx_hash"));
            let receipt = provider.get_transaction_receipt(hash).await.unwrap();
            if receipt.and_then(|receipt| receipt.block_number).is_some_and(|block| block >= oldest) {
                mined.push(Bytes::from(row.get::<Vec<u8>, _>("raw")));
            }
        }
        mined
    }

    /// A transaction of another account to the registry, at a price that gets it into the next block; does not wait.
    pub async fn relays(&self, from: &str, call: &Bytes, max_fee: u128) {
        let transaction = json!([{
            "from": from, "to": self.registry, "data": call, "gas": "0x30d40",
            "maxFeePerGas": format!("{max_fee:#x}"), "maxPriorityFeePerGas": format!("{max_fee:#x}")
        }]);
        self.calls_node("eth_sendTransaction", transaction).await;
    }

    /// The call that confirms the batch that was sealed and is at no node yet.
    pub async fn call_of_the_sealed_batch(&self) -> Bytes {
        let rows = self.rows(sqlx::query("SELECT root, entries FROM batches WHERE status = 'SEALED'")).await;
        let [row] = rows.as_slice() else { panic!("{} batches are sealed", rows.len()) };
        let entries: Vec<jobs::merkle::Entry> = serde_json::from_value(row.get("entries")).unwrap();
        let entries =
            entries.iter().map(|entry| ZamaJobsRegistry::Entry { word: U256::from(entry.word), mask: entry.mask });
        self.registry().confirmBatch(B256::from_slice(row.get("root")), entries.collect()).calldata().clone()
    }

    /// The bytes of a transaction that was written down.
    pub async fn raw(&self, hash: B256) -> Bytes {
        let query = sqlx::query("SELECT raw FROM chain_transactions WHERE tx_hash = $1").bind(hash.to_vec());
        self.rows(query).await[0].get::<Vec<u8>, _>("raw").into()
    }

    /// A signed transaction for the node's pool, which may have it already.
    pub async fn offers(&self, raw: &Bytes) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let _: Result<B256, _> = provider.raw_request("eth_sendRawTransaction".into(), (raw,)).await;
    }

    /// What an account owns, in wei.
    pub async fn sets_balance(&self, account: &str, wei: u128) {
        self.calls_node("anvil_setBalance", json!([account, format!("{wei:#x}")])).await;
    }

    /// A transaction of the confirmer's account that the batcher knows nothing of; waits until the node has it.
    pub async fn another_program_sends(&self, nonce: i64, max_fee: u128) -> B256 {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let transaction = json!([{
            "from": CONFIRMER, "to": CONFIRMER, "value": "0x1", "nonce": format!("{nonce:#x}"), "gas": "0x5208",
            "maxFeePerGas": format!("{max_fee:#x}"), "maxPriorityFeePerGas": format!("{max_fee:#x}")
        }]);
        provider.raw_request("eth_sendTransaction".into(), transaction).await.unwrap()
    }

    /// Transactions of the confirmer's account in blocks.
    pub async fn next_nonce(&self) -> i64 {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let next = provider.get_transaction_count(CONFIRMER.parse().unwrap()).await.unwrap();
        i64::try_from(next).unwrap()
    }

    /// Gas that a transaction used.
    pub async fn gas_used(&self, hash: B256) -> u64 {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.get_transaction_receipt(hash).await.unwrap().unwrap().gas_used
    }

    /// The gas that jobs bear of each transaction that confirmed some of the tenant's: its own and others', as the ledger
    /// adds up.
    pub async fn gas_borne(&self, tenant: &str) -> BTreeMap<B256, u64> {
        let query = "SELECT gas_tx_hash, sum(gas)::bigint AS gas FROM usage_ledger
                      WHERE gas_tx_hash IN (SELECT gas_tx_hash FROM usage_ledger WHERE tenant = $1)
                      GROUP BY gas_tx_hash";
        let rows = self.rows(sqlx::query(query).bind(tenant)).await;
        let gas = |row: &sqlx::postgres::PgRow| u64::try_from(row.get::<i64, _>("gas")).unwrap();
        rows.iter().map(|row| (B256::from_slice(row.get("gas_tx_hash")), gas(row))).collect()
    }

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

    /// A batch that was given up for good, its jobs having got other indices, never lands: they would be confirmed twice.
    pub async fn has_confirmed_no_abandoned_batch(&self) {
        let abandoned = self.rows(sqlx::query("SELECT root FROM batches WHERE status = 'ABANDONED'")).await;
        let registry = self.registry();
        for row in &abandoned {
            let root = B256::from_slice(row.get("root"));
            let events = registry.BatchConfirmed_filter().topic1(root).from_block(0).query().await.unwrap();
            assert!(events.is_empty(), "the abandoned batch {root} is confirmed");
        }
    }

    /// The index that the next job gets that is sealed.
    pub async fn next_index(&self) -> u64 {
        let query = "SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS next FROM confirmation_index";
        u64::try_from(self.rows(sqlx::query(query)).await[0].get::<i64, _>("next")).unwrap()
    }

    /// Confirms an index that is nobody's yet, behind the batcher's back and with its rights.
    pub async fn confirms_elsewhere(&self, index: u64) {
        let call = self.confirmation_elsewhere(index);
        self.calls_node("eth_sendTransaction", json!([{"from": CONFIRMER, "to": self.registry, "data": call}])).await;
        until("the index is confirmed", async || self.is_confirmed(index).await.then_some(())).await;
    }

    /// The same in the place of a transaction of the batcher's; does not wait.
    pub async fn overtakes_with_index(&self, index: u64, nonce: i64, max_fee: u128) {
        let transaction = json!([{
            "from": CONFIRMER, "to": self.registry, "data": self.confirmation_elsewhere(index), "gas": "0x30d40",
            "nonce": format!("{nonce:#x}"), "maxFeePerGas": format!("{max_fee:#x}"),
            "maxPriorityFeePerGas": format!("{max_fee:#x}")
        }]);
        self.calls_node("eth_sendTransaction", transaction).await;
    }

    fn confirmation_elsewhere(&self, index: u64) -> Bytes {
        let mask = U256::from(1) << (index % 256);
        let entries = vec![ZamaJobsRegistry::Entry { word: U256::from(index / 256), mask }];
        self.registry().confirmBatch(B256::repeat_byte(7), entries).calldata().clone()
    }

    /// Stops confirmations, as the registry's admin may, or lets them go on.
    pub async fn pauses(&self) {
        self.administers(self.registry().pause().calldata()).await;
    }

    pub async fn unpauses(&self) {
        self.administers(self.registry().unpause().calldata()).await;
    }

    /// Takes the batcher's role from its account.
    pub async fn revokes_the_role(&self) {
        let role = self.registry().CONFIRMER_ROLE().call().await.unwrap();
        self.administers(self.registry().revokeRole(role, CONFIRMER.parse().unwrap()).calldata()).await;
    }

    pub async fn grants_the_role(&self) {
        self.grants_the_role_to(CONFIRMER).await;
    }

    /// Lets another account confirm too; waits until it may.
    pub async fn grants_the_role_to(&self, account: &str) {
        let (registry, account) = (self.registry(), account.parse().unwrap());
        let role = registry.CONFIRMER_ROLE().call().await.unwrap();
        self.administers(registry.grantRole(role, account).calldata()).await;
        until("the account may confirm", async || registry.hasRole(role, account).call().await.unwrap().then_some(()))
            .await;
    }

    async fn administers(&self, call: &Bytes) {
        let transaction = json!([{"from": ADMIN, "to": self.registry, "data": call}]);
        self.calls_node("eth_sendTransaction", transaction).await;
    }

    /// Waits until more transactions are written down than these many, and each is in a block.
    pub async fn mines_more_than(&self, before: usize) {
        until("what was sent is in blocks", async || {
            let sent = self.sent().await;
            let waits = sent.iter().any(|sent| ["SIGNED", "SENT"].contains(&sent.state.as_str()));
            (sent.len() > before && !waits).then_some(())
        })
        .await;
    }

    /// A call of the node, as a developer's tool makes it.
    pub async fn calls_node(&self, method: &'static str, params: serde_json::Value) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        provider.raw_request::<_, serde_json::Value>(method.into(), params).await.unwrap();
    }

    /// Gives an account something to pay for gas with.
    pub async fn funds(&self, account: Address) {
        self.calls_node("anvil_setBalance", serde_json::json!([account, "0x8ac7230489e80000"])).await;
    }

    /// Waits until the node holds a transaction that is not mined; for a node that mines nothing now.
    pub async fn holds_a_transaction(&self) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        until("a transaction waits at the node", async || {
            let pool: serde_json::Value = provider.raw_request("txpool_status".into(), ()).await.ok()?;
            (pool["pending"] != "0x0").then_some(())
        })
        .await;
    }

    /// How many transactions wait at the node for a block, and how many for another transaction before them.
    pub async fn pool(&self) -> (u64, u64) {
        let provider = ProviderBuilder::new().connect_http(self.rpc.parse().unwrap());
        let pool: serde_json::Value = provider.raw_request("txpool_status".into(), ()).await.unwrap();
        (quantity(&pool["pending"]).unwrap(), quantity(&pool["queued"]).unwrap())
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

    /// Waits until a receipt of the job verifies: after a reorganisation it is made anew.
    pub async fn verifies_at_last(&self, job: &JobHandle<'_>) {
        until("the job's receipt verifies", async || {
            let receipt = job.receipt().await;
            self.accepts(&receipt).await.then_some(())
        })
        .await;
    }

    /// Panics with the first check that does not hold.
    pub async fn verifies(&self, receipt: &Receipt) {
        let report = self.report(receipt).await;
        assert!(report.passed(), "{report:#?}");
    }

    /// Whether the receipt verifies on the chain as it is now.
    pub async fn accepts(&self, receipt: &Receipt) -> bool {
        self.report(receipt).await.passed()
    }

    async fn report(&self, receipt: &Receipt) -> Report {
        let source = Source::Rpc { url: self.rpc.clone(), registry: Some(self.registry.parse().unwrap()) };
        verify_receipt(receipt, &source).await
    }
}
