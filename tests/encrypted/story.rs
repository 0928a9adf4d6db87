//! A client that encrypts: its key, its submissions, and what it reads in the end.

use std::collections::BTreeMap;

use alloy::primitives::B256;
use client::{
    ClearValue, Client, EncryptedInputs, EncryptedJob, KeyCache, KeyStatus, NetworkKey, Opened, OwnKey, OwnKeyFiles,
    Retrieve, Submitter, Trust, Upload, UploadedKey, unwatched,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell, RwLock};

use crate::harness::{CHECKPOINTS_OFTEN, JobHandle, Stack, USER, Zama, until};

/// The tenant of whoever needs none of their own.
pub const REGULAR: &str = "regular";

/// Where network keys are kept between runs: all stacks of the tests have the same, which are checked once.
pub const KEY_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/network-keys");

pub struct Owner<'a> {
    pub zama: Zama<'a>,
    pub client: Client,
    pub submitter: Submitter,
    /// 0x-hex.
    pub secret: String,
    pub key: NetworkKey,
}

pub fn bytes(values: &[u8]) -> Vec<ClearValue> {
    values.iter().copied().map(ClearValue::U8).collect()
}

/// The parameters of a program that multiplies its input with itself as often: nothing but a long computation.
pub fn powers(products: usize) -> Value {
    let step = |number| {
        let factor = if number == 1 { "a".to_owned() } else { format!("p{}", number - 1) };
        json!({"name": format!("p{number}"), "op": "mul", "args": [factor, "a"]})
    };
    let steps: Vec<Value> = (1..=products).map(step).collect();
    let last = format!("p{products}");
    json!({"program": {"inputs": [{"name": "a", "type": "u8"}], "steps": steps, "outputs": [last]}})
}

/// What [`powers`] gives.
pub fn power(base: u8, products: usize) -> Value {
    let value = (0..products).fold(base, |power, _| power.wrapping_mul(base));
    json!({format!("p{products}"): value})
}

/// A stack whose tests kill, stop and plant, one after the other. Its computing process may take no more memory than a
/// client's key and a few values need.
pub async fn disturbed() -> (&'static Stack, MutexGuard<'static, ()>) {
    static STACK: std::sync::OnceLock<Stack> = std::sync::OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    // No sweep tells Temporal what a test keeps from it.
    let settings = [CHECKPOINTS_OFTEN, LITTLE_MEMORY, ("ZAMA__DISPATCHER__SWEEP_SECONDS", "3600")];
    (STACK.get_or_init(|| Stack::encrypted_with(&settings)), turn)
}

/// Enough to load a client's key and to compute, too little for 512 values of 64 bits beside the key.
const LITTLE_MEMORY: (&str, &str) = ("ZAMA__FHE__CHILD_MEMORY_MIB", "600");

/// The FHE worker of the stack that tests share: held for writing by whoever kills it, for reading by whoever cannot do
/// with its death.
pub static WORKER_LIFE: RwLock<()> = RwLock::const_new(());

/// Keys of a client, made once: whoever uploads them is another holder.
pub async fn own_keys() -> &'static OwnKeyFiles {
    static KEYS: OnceCell<OwnKeyFiles> = OnceCell::const_new();
    KEYS.get_or_init(async || OwnKeyFiles::generate().await.unwrap()).await
}

/// A client whose secret key never leaves it.
pub struct KeyHolder<'a> {
    pub owner: Owner<'a>,
    pub key: OwnKey,
    /// What was uploaded.
    pub evaluation_key: &'static [u8],
}

impl<'a> KeyHolder<'a> {
    /// The regular owner, with a key that is checked once for all tests.
    pub async fn regular(stack: &'a Stack) -> Self {
        Self::being(Owner::regular(stack).await).await
    }

    /// Uploads the key, unless somebody of its tenant has done so.
    pub async fn being(owner: Owner<'a>) -> Self {
        let files = own_keys().await;
        let key = OwnKey::from_bytes(&files.secret_key, files.key_id).unwrap();
        if owner.client.uploaded_key(files.key_id).await.is_err() {
            owner.uploads_key(files.evaluation_key.clone()).await;
        }
        let uploaded = owner.knows_key(files.key_id).await;
        assert_eq!((uploaded.key_id, uploaded.status), (files.key_id, KeyStatus::Ready), "{uploaded:?}");
        Self { owner, key, evaluation_key: &files.evaluation_key }
    }

    pub async fn encrypts(&self, values: Vec<ClearValue>) -> EncryptedInputs {
        self.key.encrypt(values).await.unwrap()
    }

    pub async fn submits(&self, algorithm: &str, parameters: Value, inputs: &EncryptedInputs) -> JobHandle<'_> {
        let job = EncryptedJob::new(algorithm).with_parameters(parameters);
        let submitted = self.owner.client.submit_encrypted(&job, inputs.clone(), None).await.unwrap();
        self.owner.zama.job(submitted.job_id())
    }

    pub async fn opens(&self, job: JobHandle<'_>) -> Value {
        let opened = Box::pin(self.owner.client.decrypt(job.id, &self.key, &self.owner.trust())).await.unwrap();
        serde_json::from_str(opened.json()).unwrap()
    }
}

impl<'a> Owner<'a> {
    /// Of a new tenant.
    pub async fn of(stack: &'a Stack) -> Self {
        Self::being(stack.tenant(), USER).await
    }

    /// Of the tenant that all tests share who need none of their own.
    pub async fn regular(stack: &'a Stack) -> Self {
        Self::being(stack.user_of(REGULAR, USER), USER).await
    }

    /// Another user of that tenant, with an account of its own on chain.
    pub async fn colleague(stack: &'a Stack, user: &str) -> Self {
        Self::being(stack.user_of(REGULAR, user), user).await
    }

    /// Of another tenant, which is up to no good.
    pub async fn thief(stack: &'a Stack) -> Self {
        Self::being(stack.user_of("thieves", USER), USER).await
    }

    async fn being(zama: Zama<'a>, user: &str) -> Self {
        let stack = zama.stack;
        let client = Client::new(&stack.api, &zama.token).unwrap();
        let secret =
            chain::development::submitter(&zama.tenant.parse().unwrap(), &user.parse().unwrap()).unwrap().private_key;
        let submitter = Submitter::from_hex(&secret).unwrap();
        let trust = Trust::chain(stack.rpc.clone(), stack.registry.parse().unwrap());
        let key = client.network_key(&trust, Some(&KeyCache::at(KEY_CACHE)), &unwatched()).await.unwrap();
        Self { zama, client, submitter, secret, key }
    }

    /// Values under the network's key, proved to be of this tenant and submitter: once for all who want the same, since a
    /// proof takes a second of two cores, and all stacks have the same key.
    pub async fn encrypts(&self, values: Vec<ClearValue>) -> Vec<u8> {
        static PROVED: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::const_new(BTreeMap::new());
        let origin = self.submitter.origin(&self.zama.tenant);
        let mut proved = PROVED.lock().await;
        let wanted = format!("{origin:?} {values:?}");
        if let Some(blob) = proved.get(&wanted) {
            return blob.clone();
        }
        let blob = self.key.encrypt(values, origin).await.unwrap().bytes().to_vec();
        proved.insert(wanted, blob.clone());
        blob
    }

    pub async fn uploads(&self, blob: Vec<u8>) -> String {
        self.client.upload_blob(&Upload::of_bytes(blob), &unwatched()).await.unwrap().url
    }

    pub async fn submits(&self, algorithm: &str, parameters: Value, blob: Vec<u8>) -> JobHandle<'_> {
        let url = self.uploads(blob).await;
        let payload = json!({"algorithm": algorithm, "encrypted_data_url": url, "parameters": parameters});
        self.zama.submit(&json!({"type": "fhe_compute", "payload": payload, "use_fhe": true})).await
    }

    /// Encrypts, submits, waits, and opens what only this owner can open.
    pub async fn computes(&self, algorithm: &str, parameters: Value, values: Vec<ClearValue>) -> Value {
        let blob = self.encrypts(values).await;
        let job = self.submits(algorithm, parameters, blob).await;
        job.completes().await;
        serde_json::from_str(self.opens(job).await.json()).unwrap()
    }

    /// Uploads an evaluation key and waits until it was looked at.
    pub async fn uploads_key(&self, evaluation_key: Vec<u8>) -> UploadedKey {
        let key = self.client.upload_evaluation_key(&Upload::of_bytes(evaluation_key), &unwatched()).await.unwrap();
        self.knows_key(key.key_id).await
    }

    /// Waits until an uploaded key was looked at.
    async fn knows_key(&self, key_id: B256) -> UploadedKey {
        until("the key is checked", async || {
            let key = self.client.uploaded_key(key_id).await.unwrap();
            (key.status != KeyStatus::Pending).then_some(key)
        })
        .await
    }

    pub fn trust(&self) -> Trust {
        let stack = self.zama.stack;
        Trust::chain(stack.rpc.clone(), stack.registry.parse().unwrap())
    }

    pub async fn opens(&self, job: JobHandle<'_>) -> Opened {
        let trust = self.trust();
        let patience = std::time::Duration::from_secs(60);
        Box::pin(self.client.retrieve(job.id, &self.submitter, Retrieve::new(trust).patient(patience))).await.unwrap()
    }
}
