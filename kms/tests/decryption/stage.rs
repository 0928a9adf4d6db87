//! A chain, a key manager, a worker and an owner; and what they say to each other.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, keccak256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use chain::{Node, Sender};
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::ZamaJobsRegistryInstance;
use fhe::clear::ClearValue;
use fhe::execution::Execution;
use fhe::inputs::{self, Seeds};
use fhe::keys::{EvaluationKey, KeyId, KeyMode, NetworkPublicKey};
use jobs::fhe::program::{Output, OutputValue, Program, ValueId, ValueType};
use jobs::leaf::{Index, Leaf, LeafStatus};
use jobs::merkle::Batch;
use jobs::{ErrorCode, JobId};
use kms::at_rest::StorageSecret;
use kms::keys::{KeySet, Origin, ensure};
use kms::proto::DecryptRequest;
use kms::proto::key_manager_client::KeyManagerClient;
use kms::{Access, Client, ClientError, Config, Credentials, Decryption, Finality, Trust, Witness};
use retrieval::{Answer, Attestation, Domain, Expectations, RecipientKey, Retrieval, Signer};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::anvil::{Anvil, CHAIN_ID, TIMEOUT, confirm};

/// Anvil's account 3, which can pay for grants.
const OWNER_KEY: &str = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";
pub const API: &str = "the api";
pub const WORKER: &str = "a worker";
/// What the owner encrypted.
pub const SECRET: u8 = 42;
/// Blocks that make a batch final here.
const DEPTH: u64 = 2;
pub const DEPTH_IS_FINAL: Finality = Finality::Depth(DEPTH);

pub struct Stage {
    pub anvil: Anvil,
    pub domain: Domain,
    pub owner: Signer,
    pub worker: Signer,
    pub client: Client,
    pub url: String,
    pub manager: Address,
    sender: Sender,
    data: tempfile::TempDir,
    _server: DropGuard,
}

/// A job that was computed, and what an owner needs to retrieve it.
#[derive(Clone)]
pub struct Job {
    pub leaf: Leaf,
    pub attestation: Attestation,
    pub attestation_signature: Vec<u8>,
    pub result: Vec<u8>,
}

impl Stage {
    /// Everything runs, nothing is confirmed.
    pub async fn set() -> Self {
        Self::with_nodes(|anvil| vec![anvil.rpc_url.clone()], 1).await
    }

    pub async fn with_nodes(nodes: impl Fn(&Anvil) -> Vec<String>, quorum: usize) -> Self {
        Self::with(nodes, quorum, LENIENT).await
    }

    /// As production has it: finalized blocks alone, and one contract.
    pub async fn strict(code: Code) -> Self {
        let strictness = Strictness { finality: Finality::Finalized, code };
        Self::with(|anvil| vec![anvil.rpc_url.clone()], 1, strictness).await
    }

    async fn with(nodes: impl Fn(&Anvil) -> Vec<String>, quorum: usize, strictness: Strictness) -> Self {
        let anvil = Anvil::start(&[]);
        let sender = anvil.sender().await;
        let registry = sender.client().config().registry;
        let domain = Domain { chain_id: CHAIN_ID, registry };
        let worker = Signer::random();
        let data = tempfile::tempdir().unwrap();
        let set_up = SetUp {
            data: data.path().to_owned(),
            domain,
            worker: worker.address(),
            nodes: nodes(&anvil),
            quorum,
            finality: strictness.finality,
            code_hash: match strictness.code {
                Code::Any => None,
                Code::TheRegistry => Some(code_hash(&anvil, registry).await),
                Code::Another => Some(B256::repeat_byte(0xaa)),
            },
        };
        let keys = keys();
        let manager = keys.manifest().signer;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(kms::serve(listener, set_up.config(keys), stop.clone()));
        Self {
            owner: Signer::from_hex(OWNER_KEY).unwrap(),
            client: client(&url, API),
            domain,
            worker,
            url,
            manager,
            sender,
            anvil,
            data,
            _server: stop.drop_guard(),
        }
    }

    /// A job of the owner, computed and attested, not confirmed.
    pub fn computed(&self, index: u64) -> Job {
        let result = ciphertext().to_vec();
        let result_hash = B256::from_slice(&Sha256::digest(&result));
        let job_id = JobId::generate();
        let attestation = Attestation {
            job_id,
            tenant: "acme".parse().unwrap(),
            submitter: self.owner.address(),
            inputs_hash: B256::repeat_byte(1),
            program_hash: B256::repeat_byte(2),
            key_id: keys().manifest().key_id,
            result_hash,
        };
        let signature = self.worker.sign(attestation.digest(self.domain)).unwrap();
        let leaf = Leaf {
            index: Index::new(index),
            job_id: job_id.to_word().into(),
            submitter: self.owner.address(),
            result_hash,
            status: LeafStatus::Completed,
            content_hash: B256::ZERO,
            handle: attestation.handle(&signature),
        };
        Job { leaf, attestation, attestation_signature: signature.to_bytes().to_vec(), result }
    }

    /// A job of the owner whose confirmation is final.
    pub async fn completed(&self, index: u64) -> Job {
        let job = self.computed(index);
        self.confirm(&job).await;
        self.mine(DEPTH).await;
        job
    }

    /// Confirms the job in a batch of its own, in the newest block.
    pub async fn confirm(&self, job: &Job) {
        confirm(&self.sender, &Batch::seal(std::slice::from_ref(&job.leaf)).unwrap()).await;
    }

    /// The audit log's text.
    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.data.path().join("audit.log")).unwrap()
    }

    pub async fn mine(&self, blocks: u64) {
        mine(&self.anvil, blocks).await;
    }

    /// The registry, as somebody who pays with this key.
    pub fn registry(&self, signer: &Signer) -> ZamaJobsRegistryInstance<DynProvider> {
        let wallet = EthereumWallet::from(PrivateKeySigner::from_bytes(&signer.to_bytes()).unwrap());
        let url = self.anvil.rpc_url.parse().unwrap();
        ZamaJobsRegistry::new(self.domain.registry, ProviderBuilder::new().wallet(wallet).connect_http(url).erased())
    }

    /// What `signer` asks for the job, sealed to `key`; with a nonce of its own and no deadline.
    pub fn asks(&self, signer: &Signer, job: &Job, key: &RecipientKey) -> Decryption {
        let retrieval = Retrieval {
            job_id: job.attestation.job_id,
            nonce: rand::random::<[u8; 32]>().into(),
            public_key_hash: key.public_key().unwrap().hash(),
            deadline: None,
        };
        self.asks_with(signer, job, key, retrieval)
    }

    pub fn asks_with(&self, signer: &Signer, job: &Job, key: &RecipientKey, retrieval: Retrieval) -> Decryption {
        Decryption {
            result: job.result.clone(),
            leaf: job.leaf.clone(),
            inclusion: Batch::seal(std::slice::from_ref(&job.leaf)).unwrap().inclusion(0).unwrap(),
            attestation: job.attestation.clone(),
            attestation_signature: job.attestation_signature.clone(),
            retrieval_signature: signer.sign(retrieval.digest(self.domain)).unwrap().to_bytes().to_vec(),
            retrieval,
            client_public_key: key.public_key().unwrap().to_pem(),
        }
    }

    /// The plaintext, as a client reads it.
    pub fn opens(&self, answer: &Answer, asked: &Decryption, key: &RecipientKey) -> String {
        let expected = Expectations {
            domain: self.domain,
            job_id: asked.retrieval.job_id,
            result_hash: asked.leaf.result_hash,
            nonce: asked.retrieval.nonce,
            key_manager: self.manager,
        };
        String::from_utf8(retrieval::verify_and_open(answer, &expected, key).unwrap().to_vec()).unwrap()
    }

    /// Sends a message as it is, as the API.
    pub async fn sends(&self, message: DecryptRequest) -> Result<(), tonic::Status> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {API}").parse().unwrap());
        KeyManagerClient::connect(self.url.clone()).await.unwrap().decrypt(request).await.map(drop)
    }

    /// Asks and expects this refusal.
    pub async fn refuses(&self, asked: Decryption, code: ErrorCode) {
        let refusal = self.client.decrypt(asked).await.unwrap_err();
        match &refusal {
            ClientError::Refused { code: actual, .. } => assert_eq!(*actual, code, "{refusal}"),
            ClientError::Chain(_) => assert_eq!(code, ErrorCode::ServiceUnavailable, "{refusal}"),
            other => panic!("{other}"),
        }
    }
}

/// Which contract's code the key manager wants to see.
pub enum Code {
    Any,
    TheRegistry,
    Another,
}

struct Strictness {
    finality: Finality,
    code: Code,
}

const LENIENT: Strictness = Strictness { finality: DEPTH_IS_FINAL, code: Code::Any };

async fn code_hash(anvil: &Anvil, contract: Address) -> B256 {
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    keccak256(provider.get_code_at(contract).await.unwrap())
}

/// What a server is started with, in this process or in another.
pub struct SetUp {
    pub data: PathBuf,
    pub domain: Domain,
    pub worker: Address,
    pub nodes: Vec<String>,
    pub quorum: usize,
    pub finality: Finality,
    pub code_hash: Option<B256>,
}

impl SetUp {
    pub fn config(&self, keys: KeySet) -> Config {
        let node = |url: &String| Node::new(url, self.domain.registry, TIMEOUT).unwrap();
        Config {
            data: self.data.clone(),
            keys,
            credentials: Credentials::new(API, WORKER).unwrap(),
            tls: None,
            trust: Trust { domain: self.domain, workers: vec![self.worker] },
            witness: Witness {
                nodes: self.nodes.iter().map(node).collect(),
                quorum: self.quorum,
                chain_id: CHAIN_ID,
                code_hash: self.code_hash,
                finality: self.finality,
            },
        }
    }
}

pub fn client(url: &str, credential: &str) -> Client {
    Client::new(&Access { url: url.to_owned(), credential: credential.to_owned(), tls: None }).unwrap()
}

pub async fn mine(anvil: &Anvil, blocks: u64) {
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    provider.raw_request::<_, ()>("anvil_mine".into(), (blocks,)).await.unwrap();
}

/// Real keys, made once and kept between runs.
pub fn keys() -> KeySet {
    let secret = StorageSecret::new(SECRET_OF_FOLDER.to_owned());
    ensure(&keys_folder(), &secret, &Origin::Fresh, &|_| {}).unwrap()
}

/// What the tests' keys are encrypted under.
pub const SECRET_OF_FOLDER: &str = "tests";

/// Where they are.
pub fn keys_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("kms-keys-1")
}

/// The result of a program that returns its input, kept between runs.
fn ciphertext() -> &'static [u8] {
    static CIPHERTEXT: OnceLock<Vec<u8>> = OnceLock::new();
    CIPHERTEXT.get_or_init(|| {
        let manifest = keys().manifest().clone();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("result-{}.cbor", manifest.key_id));
        if let Ok(bytes) = std::fs::read(&file) {
            return bytes;
        }
        let bytes = compute(&folder.join("kms-keys-1/keys"), KeyId(manifest.key_id.0));
        // Another test process may write the same file.
        let fresh = file.with_extension(std::process::id().to_string());
        std::fs::write(&fresh, &bytes).unwrap();
        std::fs::rename(&fresh, &file).unwrap();
        bytes
    })
}

fn compute(keys: &Path, key_id: KeyId) -> Vec<u8> {
    let read = |name: &str| std::fs::read(keys.join(name)).unwrap();
    let public = NetworkPublicKey::from_bytes(&read("public-key.bin"), &read("crs.bin")).unwrap();
    let evaluation = EvaluationKey::from_bytes(&read("evaluation-key.bin"), KeyMode::Network).unwrap();
    let origin = inputs::Origin { tenant: "acme".to_owned(), submitter: [7; 20] };
    let blob = fhe::encrypt::for_network(&[ClearValue::U8(SECRET)], &public, &origin).unwrap();
    let received = inputs::read_network(&blob, &public, &origin).unwrap();
    let seeds = Seeds { job_id: [1; 16], inputs_hash: received.hash(), program_hash: [2; 32], key_id };
    let program = Program {
        inputs: vec![ValueType::U8],
        steps: Vec::new(),
        outputs: vec![
            Output { name: "count".to_owned(), value: OutputValue::Clear(1) },
            Output { name: "value".to_owned(), value: OutputValue::Encrypted(ValueId(0)) },
        ],
    };
    let inputs = received.into_inputs(&evaluation, &seeds).unwrap();
    Execution::new(&evaluation, program, inputs).unwrap().finish().unwrap().result
}

/// How long a server may take to listen.
pub const PATIENCE: Duration = Duration::from_secs(60);
