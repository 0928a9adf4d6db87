//! A client that encrypts: its key, its submissions, and what it reads in the end.

use client::{ClearValue, Client, KeyCache, NetworkKey, Opened, Retrieve, Submitter, Trust, Upload, unwatched};
use serde_json::{Value, json};

use crate::harness::{JobHandle, Stack, Zama};

/// The user of a token that `zama-jobs token` makes.
const USER: &str = "developer";

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

impl<'a> Owner<'a> {
    pub async fn of(stack: &'a Stack) -> Self {
        let zama = stack.tenant();
        let client = Client::new(&stack.api, &zama.token).unwrap();
        let secret =
            chain::development::submitter(&zama.tenant.parse().unwrap(), &USER.parse().unwrap()).unwrap().private_key;
        let submitter = Submitter::from_hex(&secret).unwrap();
        let trust = Trust::chain(stack.rpc.clone(), stack.registry.parse().unwrap());
        // All stacks of the tests have the same keys, which are checked once.
        let cache = KeyCache::at(concat!(env!("CARGO_TARGET_TMPDIR"), "/network-keys"));
        let key = client.network_key(&trust, Some(&cache), &unwatched()).await.unwrap();
        Self { zama, client, submitter, secret, key }
    }

    /// Values under the network's key, proved to be of this tenant and submitter.
    pub async fn encrypts(&self, values: Vec<ClearValue>) -> Vec<u8> {
        let origin = self.submitter.origin(&self.zama.tenant);
        self.key.encrypt(values, origin).await.unwrap().bytes().to_vec()
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
