//! A chain, a database with jobs, and the program between them.

use std::process::{Command, Stdio};

use alloy::consensus::Transaction as _;
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::TransactionReceipt;
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::ZamaJobsRegistryInstance;
use jobs::merkle::Entry;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use store::batches::{self, Anchor, Gas, Registry};
use store::sealing::{self, SealPolicy};
use store::transactions::{self, Purpose, Written};
use tempfile::TempDir;
use uuid::Uuid;

use crate::anvil::{Anvil, CHAIN_ID, CONFIRMER};
use crate::outbox::Outbox;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_zama-jobs");

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program beside an anvil.
pub struct Operator {
    pub anvil: Anvil,
    /// No `.zama/dev.env` is above it.
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Operator {
    pub fn beside(anvil: Anvil) -> Self {
        let settings = vec![
            ("ZAMA__CHAIN__RPC_URL", anvil.rpc_url.clone()),
            ("ZAMA__CHAIN__CHAIN_ID", CHAIN_ID.to_string()),
            ("ZAMA__CHAIN__CONFIRMATIONS", "1".to_owned()),
            ("ZAMA__DATABASE__ACQUIRE_TIMEOUT_SECONDS", "5".to_owned()),
        ];
        Self { anvil, folder: tempfile::tempdir().unwrap(), settings }
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.settings.retain(|(known, _)| *known != key);
        self.settings.push((key, value.into()));
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// `zama-jobs chain …`.
    pub fn chain(&self, arguments: &[&str]) -> Run {
        Run::of(self.command("chain").args(arguments))
    }

    /// `zama-jobs …`; its stdin is no terminal.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg(name).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(key, value)| (*key, value.as_str())));
        command
    }

    pub fn provider(&self) -> impl Provider + use<> {
        ProviderBuilder::new().connect_http(self.anvil.rpc_url.parse().unwrap())
    }

    pub async fn head(&self) -> u64 {
        self.provider().get_block_number().await.unwrap()
    }
}

/// A deployed registry, and a database whose batches are confirmed there.
pub struct Stage {
    pub operator: Operator,
    pub outbox: Outbox,
    pub on: Registry,
}

impl Stage {
    pub async fn new() -> Self {
        let anvil = Anvil::start(&[]);
        let registry = anvil.deploy().await;
        let mut operator = Operator::beside(anvil);
        let outbox = Outbox::new().await;
        operator.set("ZAMA__CHAIN__REGISTRY", registry.to_string());
        operator.set("ZAMA__DATABASE__URL", url(&outbox).await);
        let on = Registry { chain_id: CHAIN_ID.cast_signed(), address: registry.into_array() };
        Self { operator, outbox, on }
    }

    pub fn registry(&self) -> ZamaJobsRegistryInstance<impl Provider + use<>> {
        ZamaJobsRegistry::new(Address::from(self.on.address), self.operator.provider())
    }

    pub async fn seals(&self, max_jobs: i64) -> Uuid {
        let policy = SealPolicy { on: self.on, max_jobs, max_age_seconds: 0.0 };
        sealing::seal(&self.outbox.pool, &policy, 1).await.unwrap().expect("something waits").0
    }

    /// Puts a batch on chain; the database knows that it was sent.
    pub async fn sends(&self, batch: Uuid) -> Anchor {
        let (root, entries) = self.sealed(batch).await;
        let anchor = self.confirms(root, &entries).await;
        self.writes_down(batch, anchor.tx_hash.into()).await;
        anchor
    }

    async fn sealed(&self, batch: Uuid) -> (B256, Vec<Entry>) {
        let query = "SELECT root, entries FROM batches WHERE id = $1";
        let (root, entries): (Vec<u8>, Value) =
            sqlx::query_as(query).bind(batch).fetch_one(&self.outbox.pool).await.unwrap();
        (B256::from_slice(&root), serde_json::from_value(entries).unwrap())
    }

    /// As the batcher does before it sends.
    async fn writes_down(&self, batch: Uuid, hash: B256) {
        let sent = self.operator.provider().get_transaction_by_hash(hash).await.unwrap().unwrap();
        let transaction = transactions::Transaction {
            tx_hash: hash.0,
            sender: sent.inner.signer().into_array(),
            nonce: sent.nonce(),
            raw: sent.inner.inner().encoded_2718(),
            max_fee_per_gas: sent.max_fee_per_gas(),
            max_priority_fee_per_gas: sent.max_priority_fee_per_gas().unwrap(),
        };
        let written = transactions::write_ahead(&self.outbox.pool, batch, Purpose::Batch, &transaction).await;
        assert_eq!(written.unwrap(), Written::Ahead);
    }

    /// As somebody does who has the confirmer's rights and another program: it sends transactions of the old type.
    pub async fn is_confirmed_by_a_stranger(&self, batch: Uuid) -> Anchor {
        let (root, entries) = self.sealed(batch).await;
        let registry = self.registry();
        let call = registry.confirmBatch(root, entries.iter().map(Into::into).collect()).from(CONFIRMER);
        anchor(&call.gas_price(100_000_000_000).send().await.unwrap().get_receipt().await.unwrap())
    }

    /// As anybody with the confirmer's rights does.
    pub async fn confirms(&self, root: B256, entries: &[Entry]) -> Anchor {
        let registry = self.registry();
        let call = registry.confirmBatch(root, entries.iter().map(Into::into).collect()).from(CONFIRMER);
        anchor(&call.send().await.unwrap().get_receipt().await.unwrap())
    }

    /// A batch of `jobs` new jobs, on chain and completed here.
    pub async fn confirmed(&self, jobs: i64) -> Uuid {
        for _ in 0..jobs {
            self.outbox.confirming().await;
        }
        let batch = self.seals(jobs).await;
        let anchor = self.sends(batch).await;
        batches::complete(&self.outbox.pool, batch, &anchor).await.unwrap();
        batch
    }

    /// A foreign root over one index.
    pub async fn confirms_elsewhere(&self, index: u64) -> B256 {
        let root = B256::repeat_byte(0x77);
        let mask = U256::from(1) << usize::try_from(index % 256).unwrap();
        self.confirms(root, &[Entry { word: index / 256, mask }]).await;
        root
    }

    /// The database is as if it had been restored: no batches, no indices, a sequence from the beginning.
    pub async fn forgets(&self) {
        for statement in [
            "UPDATE confirmations SET batch_id = NULL, leaf_index = NULL",
            "DELETE FROM chain_transactions",
            "DELETE FROM batches",
            "ALTER SEQUENCE confirmation_index RESTART",
        ] {
            self.outbox.execute(statement).await;
        }
    }

    /// Rows of a query as text, to be compared.
    pub async fn rows(&self, query: &str) -> Vec<String> {
        let wrapped = format!("SELECT row_to_json(q)::text FROM ({query}) q");
        sqlx::query_scalar(AssertSqlSafe(wrapped)).fetch_all(&self.outbox.pool).await.unwrap()
    }

    /// What must be as it was: which job is where, and what was billed.
    pub async fn truth(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for query in [
            "SELECT root, entries, job_count, status, tx_hash, block_number, block_hash, gas_tx_hash, gas_used,
                    effective_gas_price FROM batches ORDER BY root",
            "SELECT c.job_id, c.leaf_index, c.leaf_status, c.salt, b.root
               FROM confirmations c LEFT JOIN batches b ON b.id = c.batch_id ORDER BY c.job_id",
            "SELECT id, status, result_hash FROM jobs ORDER BY id",
            "SELECT id, units, gas, gas_tx_hash FROM usage_ledger ORDER BY id",
            "SELECT job_id FROM job_reservations ORDER BY job_id",
            "SELECT tx_hash, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas, purpose, state, block_number,
                    block_hash FROM chain_transactions ORDER BY tx_hash",
        ] {
            rows.extend(self.rows(query).await);
        }
        rows
    }

    /// And everything else that a client could see change.
    pub async fn everything(&self) -> Vec<String> {
        let mut rows = self.truth().await;
        for query in [
            "SELECT id, version, updated_at FROM jobs ORDER BY id",
            "SELECT id, job_id, event_type FROM job_events ORDER BY id",
            "SELECT id, from_block, confirmed_at FROM batches ORDER BY id",
            "SELECT last_value, is_called FROM confirmation_index",
        ] {
            rows.extend(self.rows(query).await);
        }
        rows
    }
}

fn anchor(receipt: &TransactionReceipt) -> Anchor {
    Anchor {
        tx_hash: receipt.transaction_hash.0,
        block_number: receipt.block_number.unwrap().cast_signed(),
        block_hash: receipt.block_hash.unwrap().0,
        gas: Some(Gas { used: receipt.gas_used.cast_signed(), price: receipt.effective_gas_price }),
    }
}

async fn url(outbox: &Outbox) -> String {
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&outbox.pool).await.unwrap();
    let mut url: reqwest::Url = std::env::var("ZAMA_TEST_DATABASE_URL").unwrap().parse().unwrap();
    url.set_path(&name);
    url.to_string()
}
