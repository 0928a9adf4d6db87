//! A real anvil on a free port, killed when the test is done, with a registry and a sender on it.
#![allow(dead_code)] // Each test binary uses a part of it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy::primitives::{Address, B256, address, keccak256};
use chain::{
    ChainClient, ChainConfig, ChainError, Confirmed, Endpoints, Search, Sender, SignedTx, Signer, Stretch,
    TransactionCount, ensure_registry,
};
use jobs::leaf::{Index, Leaf, LeafStatus, salted_content_hash};
use jobs::merkle::Batch;

pub const CHAIN_ID: u64 = 31337;
pub const DEPLOYER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub const CONFIRMER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
pub const CONFIRMER: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
pub const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Anvil {
    process: Child,
    pub rpc_url: String,
}

impl Anvil {
    /// Starts anvil with these arguments on top and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        let binary = tools_dir().join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
        let mut process = Command::new(&binary)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start ({error}): install tools/ first", binary.display()));
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "anvil ended before it listened");
            if let Some(address) = line.trim().strip_prefix("Listening on ") {
                break address.to_owned();
            }
        };
        // A full pipe would stop anvil.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { process, rpc_url: format!("http://{address}") }
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub async fn deploy(&self) -> Address {
        ensure_registry(&self.rpc_url, CHAIN_ID, DEPLOYER_KEY, CONFIRMER, TIMEOUT).await.unwrap()
    }

    pub async fn sender(&self) -> Sender {
        self.sender_of(CONFIRMER_KEY).await
    }

    pub async fn sender_of(&self, private_key: &str) -> Sender {
        let registry = self.deploy().await;
        let client = ChainClient::connect(self.config(registry)).await.unwrap();
        Sender::new(client, Signer::private_key(private_key).unwrap())
    }

    pub fn config(&self, registry: Address) -> ChainConfig {
        config(&self.rpc_url, registry)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The registry, through these nodes.
pub fn config(rpc_urls: &str, registry: Address) -> ChainConfig {
    let nodes = Endpoints::parse(rpc_urls, TIMEOUT).unwrap();
    ChainConfig { nodes, chain_id: CHAIN_ID, registry, confirmations: 2 }
}

/// Sends a batch as the batcher does and waits for its event.
pub async fn confirm(sender: &Sender, batch: &Batch) -> (SignedTx, Confirmed) {
    let from_block = sender.client().block_number().await.unwrap();
    let estimate = sender.estimate(batch.root(), batch.entries()).await.unwrap();
    let nonce = next_nonce(sender).await;
    let signed = sender.build_and_sign(batch.root(), batch.entries(), nonce, estimate).await.unwrap();
    sender.broadcast(&signed.raw).await.unwrap();
    (signed, found(sender, batch, from_block).await)
}

/// Of an account that nobody else sends with.
pub async fn next_nonce(sender: &Sender) -> u64 {
    sender.client().transaction_count(sender.address(), TransactionCount::Pending).await.unwrap()
}

pub async fn found(sender: &Sender, batch: &Batch, from_block: u64) -> Confirmed {
    for _ in 0..100 {
        if let Some(confirmed) = find(sender, batch.root(), from_block).await.unwrap() {
            return confirmed;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the batch was not confirmed");
}

/// The root's event, in whichever block from `from` on.
pub async fn find(sender: &Sender, root: B256, from: u64) -> Result<Option<Confirmed>, ChainError> {
    let mut to = None;
    loop {
        match sender.client().search_confirmation(root, Stretch { from, to }).await? {
            Search::Found(confirmed) => return Ok(Some(confirmed)),
            Search::Nothing => return Ok(None),
            Search::Unfinished { to: older } => to = Some(older),
        }
    }
}

pub const SALT: B256 = B256::repeat_byte(0x5a);

pub fn content_hash(index: u64) -> B256 {
    keccak256(format!("content {index}"))
}

pub fn leaves(indices: impl IntoIterator<Item = u64>) -> Vec<Leaf> {
    indices.into_iter().map(leaf).collect()
}

fn leaf(index: u64) -> Leaf {
    let mut job_id = keccak256(format!("job {index}"));
    job_id[16..].fill(0);
    let status = if index.is_multiple_of(3) { LeafStatus::Failed } else { LeafStatus::Completed };
    let result_hash = match status {
        LeafStatus::Completed => keccak256(format!("result {index}")),
        LeafStatus::Failed => B256::ZERO,
    };
    Leaf {
        index: Index::new(index),
        job_id,
        submitter: Address::from_word(keccak256(format!("submitter {index}"))),
        result_hash,
        status,
        content_hash: salted_content_hash(SALT, content_hash(index)),
        handle: B256::ZERO,
    }
}

fn tools_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("ZAMA_TOOLS_DIR") {
        return dir.into();
    }
    let for_all = PathBuf::from("/var/lib/zama-jobs/tools");
    match std::env::home_dir().map(|home| home.join(".cache/zama-jobs/tools")) {
        Some(of_user) if of_user.exists() => of_user,
        _ => for_all,
    }
}
