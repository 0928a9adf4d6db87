//! A key manager that notes what it is asked, and answers what the test says.

use std::sync::Mutex;

use alloy::primitives::{Address, B256};
use api::key_manager::{Decryption, KeyFile, KeyManager, KeyManagerError, NetworkKey};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _, ready};
use retrieval::{Answer, Sealed};
use sha2::{Digest as _, Sha256};

pub const PUBLIC_KEY: &[u8] = b"a compact public key";
pub const CRS: &[u8] = b"a common reference string";

#[derive(Default)]
pub struct Seen {
    /// Calls by name, in their order.
    pub calls: Mutex<Vec<&'static str>>,
    pub decryptions: Mutex<Vec<Decryption>>,
    /// Who may read the result of which leaf, beside its submitter.
    pub grants: Mutex<Vec<(B256, Address)>>,
    /// What every call is answered from now on, if anything.
    pub refusal: Mutex<Option<KeyManagerError>>,
}

impl Seen {
    fn answer<T: Send + 'static>(&self, call: &'static str, value: T) -> BoxFuture<'_, Result<T, KeyManagerError>> {
        self.calls.lock().unwrap().push(call);
        let refusal = self.refusal.lock().unwrap().clone();
        ready(refusal.map_or(Ok(value), Err)).boxed()
    }

    pub fn refuse(&self, refusal: Option<KeyManagerError>) {
        *self.refusal.lock().unwrap() = refusal;
    }
}

fn file(bytes: &[u8]) -> KeyFile {
    KeyFile { sha256: B256::from_slice(&Sha256::digest(bytes)), size: bytes.len() as u64 }
}

impl KeyManager for Seen {
    fn manifest(&self) -> BoxFuture<'_, Result<NetworkKey, KeyManagerError>> {
        let key = NetworkKey {
            key_id: B256::repeat_byte(0xa1),
            parameters: "network/v1.8/2M128+pke+compression+rerand".to_owned(),
            evaluation_key: file(b"an evaluation key"),
            public_key: file(PUBLIC_KEY),
            crs: file(CRS),
            signer: Address::repeat_byte(0xd4),
            signature: [0x5e; 65],
        };
        self.answer("manifest", key)
    }

    fn public_key(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>> {
        self.answer("public_key", Bytes::from_static(PUBLIC_KEY))
    }

    fn crs(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>> {
        self.answer("crs", Bytes::from_static(CRS))
    }

    fn has_access(&self, leaf_hash: B256, account: Address) -> BoxFuture<'_, Result<bool, KeyManagerError>> {
        let granted = self.grants.lock().unwrap().contains(&(leaf_hash, account));
        self.answer("has_access", granted)
    }

    fn decrypt(&self, asked: Decryption) -> BoxFuture<'_, Result<Answer, KeyManagerError>> {
        let sealed = Sealed { enc: vec![4; 65], ciphertext: b"sealed".to_vec() };
        let answer = Answer::sealed(asked.retrieval.job_id, asked.leaf.result_hash, sealed, vec![5; 65]);
        self.decryptions.lock().unwrap().push(asked);
        self.answer("decrypt", answer)
    }
}
