//! Encrypted jobs without FHE: their owners, and what an FHE worker would leave in the stores.

use alloy::primitives::B256;
use blobs::{BlobHash, SystemKey};
use bytes::Bytes;
use jobs::Step;
use retrieval::{Attestation, Retrieval, Signer};
use serde_json::{Value, json};
use store::departure::{self, Leaving};
use store::fhe::results::{Encrypted, HandleParts};
use store::transition::Units;

use super::{DOMAIN, TestApp, User};
use crate::answer::Answer;
use crate::app::Call;

/// A user who holds the key of its address.
pub struct Owner {
    pub user: User,
    pub signer: Signer,
    pub tenant: String,
}

/// What the worker computed for a job: different for each.
pub fn result_bytes(job: &str) -> Bytes {
    Bytes::from(format!("ciphertexts of {job}").repeat(5000))
}

fn handle() -> HandleParts {
    HandleParts {
        inputs_hash: [0x11; 32],
        program_hash: [0x22; 32],
        key_id: [0x33; 32],
        attestation_hash: [0x44; 32],
        attestation: [0x55; 65],
    }
}

impl Owner {
    /// The body of a retrieval, signed.
    pub fn signed(&self, job: &str, nonce: u8, public_key_hash: B256, deadline: Option<u64>) -> Value {
        let job_id = job.parse().unwrap();
        let retrieval = Retrieval { job_id, nonce: B256::repeat_byte(nonce), public_key_hash, deadline };
        let signature = self.signer.sign(retrieval.digest(DOMAIN)).unwrap();
        let mut body = json!({
            "clientSignature": format!("0x{}", hex::encode(signature.to_bytes())),
            "retrievalNonce": B256::repeat_byte(nonce),
        });
        if let Some(deadline) = deadline {
            body["deadline"] = deadline.into();
        }
        body
    }

    /// What the worker attests of a job of this owner.
    pub fn attestation(&self, job: &str) -> Attestation {
        let handle = handle();
        Attestation {
            job_id: job.parse().unwrap(),
            tenant: self.tenant.parse().unwrap(),
            submitter: self.signer.address(),
            inputs_hash: handle.inputs_hash.into(),
            program_hash: handle.program_hash.into(),
            key_id: handle.key_id.into(),
            result_hash: BlobHash::of(&result_bytes(job)).0.into(),
        }
    }
}

impl TestApp {
    pub async fn owner(&self, tenant: &str, name: &str) -> Owner {
        let signer = Signer::random();
        let user = self.user(tenant, name, api::token::Role::Developer).await;
        let address: [u8; 20] = signer.address().into();
        sqlx::query("UPDATE users SET submitter = $1 WHERE tenant = $2 AND id = $3")
            .bind(&address[..])
            .bind(tenant)
            .bind(name)
            .execute(&self.pool)
            .await
            .unwrap();
        Owner { user: User { address, ..user }, signer, tenant: tenant.to_owned() }
    }

    /// The id of a PENDING encrypted job with this payload.
    pub async fn encrypted(&self, owner: &Owner, payload: Value) -> String {
        let id = self.accepted(&owner.user).await;
        sqlx::query("UPDATE jobs SET job_type = 'fhe_compute', payload = $2 WHERE id = $1::uuid")
            .bind(&id)
            .bind(payload.to_string())
            .execute(&self.pool)
            .await
            .unwrap();
        id
    }

    /// PENDING to CONFIRMING, with [`result_bytes`].
    pub async fn finish_encrypted(&self, job: &str) {
        self.begin(job).await;
        let (id, bytes) = (job.parse().unwrap(), result_bytes(job));
        self.blobs.put_system(&SystemKey::result(id), bytes.clone()).await.unwrap();
        let units = Units { compute: 1, fhe: 7 };
        let Leaving::Open(departure) = departure::open(&self.pool, id, units).await.unwrap() else {
            panic!("the job is decided already");
        };
        let manifest = json!({});
        let result = Encrypted {
            hash: BlobHash::of(&bytes).0,
            size: bytes.len() as u64,
            media_type: "application/cbor",
            units,
            salt: [9; 32],
            handle: handle(),
            manifest: &manifest,
        };
        assert_eq!(departure.with_encrypted(&result).await.unwrap(), Step::Confirm);
    }

    /// The id of a COMPLETED encrypted job.
    pub async fn encrypted_and_completed(&self, owner: &Owner, payload: Value) -> String {
        let id = self.encrypted(owner, payload).await;
        self.finish_encrypted(&id).await;
        let batch = self.seal().await;
        self.confirm(batch).await;
        id
    }

    pub async fn retrieve(&self, user: &User, job: &str, body: &Value) -> Answer {
        let call = Call::new("POST", &format!("/v1/jobs/{job}/fhe-result"));
        self.send(call.header("content-type", "application/json").body(body.to_string()).by(user)).await
    }
}
