//! An API of this process that holds a key manager's key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy::primitives::{Address, B256, hex};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jobs::leaf::{Index, Leaf, LeafStatus, salted_content_hash};
use jobs::merkle::Batch;
use jobs::receipt::{Anchor, Receipt};
use jobs::{ErrorCode, JobId};
use retrieval::{Answer, Domain, NetworkKeyClaim, PublicKey, Retrieval, SealedClaim, Signature, Signer, seal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::encrypted::{Submitter, Trust};
use crate::{Client, RetryPolicy};

pub(super) const ID: &str = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";
pub(super) const PLAINTEXT: &str = r#"{"sum":15,"mean":5,"above":true}"#;
/// What a program with one clear output leaves: {"count": 3}.
pub(super) const CLEAR_RESULT: &[u8] = b"\xa1\x65count\x03";

pub(super) const DOMAIN: Domain = Domain { chain_id: 31_337, registry: Address::repeat_byte(0xaa) };

/// The network key of these parts, as an API describes it: consistent, and signed by whoever.
pub(super) fn described(parts: &[Vec<u8>; 2], signer: &Signer, domain: Domain) -> Value {
    let hashes = [hash(b"evaluation key"), hash(&parts[0]), hash(&parts[1])];
    let key_id = hash(&hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>());
    let part = |bytes: &[u8]| json!({ "url": "https://elsewhere.example", "size": bytes.len(), "sha256": hash(bytes) });
    let claim = NetworkKeyClaim { key_id, parameters: "network/v1" };
    json!({
        "key_id": key_id, "parameters": claim.parameters, "signer": signer.address(),
        "signature": hex::encode_prefixed(signer.sign(claim.digest(domain)).expect("signed").to_bytes()),
        "chain_id": domain.chain_id, "registry": domain.registry,
        "evaluation_key": { "size": 14, "sha256": hashes[0] },
        "public_key": part(&parts[0]), "crs": part(&parts[1]),
    })
}

/// The service as a client sees it.
pub(super) struct Service {
    pub(super) owner: Signer,
    pub(super) manager: Signer,
    pub(super) receipt: Mutex<Receipt>,
    result: Vec<u8>,
    pub(super) network: Value,
    pub(super) parts: [Vec<u8>; 2],
    /// Looks at the receipt that come too early still.
    pub(super) early: Mutex<u32>,
    asked: Mutex<Vec<String>>,
    /// Until when the requests hold, in Unix seconds.
    pub(super) deadlines: Mutex<Vec<u64>>,
}

impl Service {
    pub(super) fn new() -> Self {
        let (owner, manager) = (Signer::random(), Signer::random());
        let parts = [b"public key".to_vec(), b"reference string".to_vec()];
        Self {
            receipt: Mutex::new(receipt(owner.address(), hash(CLEAR_RESULT))),
            network: described(&parts, &manager, DOMAIN),
            manager,
            owner,
            result: CLEAR_RESULT.to_vec(),
            parts,
            early: Mutex::new(0),
            asked: Mutex::default(),
            deadlines: Mutex::default(),
        }
    }

    pub(super) async fn start(self) -> (Arc<Self>, Client) {
        let service = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&service));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let fast = RetryPolicy { first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        (service, Client::new(&origin, "secret").expect("a client").with_retries(fast))
    }

    pub(super) fn owner(&self) -> Submitter {
        self.owner.clone().into()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::key_manager(self.manager.address())
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    /// As the key manager does it: only the owner's signature over this very request opens anything.
    fn unseal(&self, body: &Value) -> Response {
        let receipt = self.receipt.lock().expect("no panic").clone();
        let domain = Domain { chain_id: receipt.chain_id, registry: receipt.registry };
        let public = PublicKey::from_pem(body["client_public_key"].as_str().expect("a key")).expect("a key");
        let nonce: B256 = body["retrievalNonce"].as_str().expect("a nonce").parse().expect("a nonce");
        let deadline = body["deadline"].as_u64();
        self.deadlines.lock().expect("no panic").push(deadline.expect("no signature holds for ever"));
        let retrieval = Retrieval { job_id: id(), nonce, public_key_hash: public.hash(), deadline };
        let signature = hex::decode(body["clientSignature"].as_str().expect("a signature")).expect("hex");
        let signer = Signature::from_bytes(&signature).expect("65 bytes").signer(retrieval.digest(domain));
        if signer != Ok(self.owner.address()) {
            return problem(ErrorCode::SignatureInvalid);
        }
        let (job_id, result_hash) = (id(), receipt.leaf.result_hash);
        let sealed = seal(PLAINTEXT.as_bytes(), &public, job_id).expect("sealed");
        let claim = SealedClaim {
            job_id,
            result_hash,
            public_key_hash: public.hash(),
            nonce,
            enc: &sealed.enc,
            ciphertext: &sealed.ciphertext,
        };
        let signature = self.manager.sign(claim.digest(domain)).expect("signed").to_bytes().to_vec();
        axum::Json(Answer::sealed(job_id, result_hash, sealed, signature)).into_response()
    }
}

async fn answer(State(service): State<Arc<Service>>, method: Method, uri: Uri, body: Bytes) -> Response {
    service.asked.lock().expect("no panic").push(format!("{method} {uri}"));
    match uri.path() {
        "/v1/fhe/keys" => axum::Json(json!({ "network": service.network, "client": [] })).into_response(),
        "/v1/fhe/keys/network/public-key" => service.parts[0].clone().into_response(),
        "/v1/fhe/keys/network/crs" => service.parts[1].clone().into_response(),
        path if path.ends_with("/receipt") => {
            let mut early = service.early.lock().expect("no panic");
            if *early > 0 {
                *early -= 1;
                return problem(ErrorCode::ResultNotReady);
            }
            axum::Json(service.receipt.lock().expect("no panic").clone()).into_response()
        }
        path if path.ends_with("/result") => {
            ([("X-Result-Hash", hash(&service.result).to_string())], service.result.clone()).into_response()
        }
        path if path.ends_with("/fhe-result") => service.unseal(&serde_json::from_slice(&body).expect("JSON")),
        "/v1/blobs" => axum::Json(json!({
            "sha256": hash(&body), "size": body.len(), "url": format!("http://api/v1/blobs/{}", hash(&body))
        }))
        .into_response(),
        _ => problem(ErrorCode::NotFound),
    }
}

fn problem(code: ErrorCode) -> Response {
    let body = json!({
        "type": format!("http://127.0.0.1/docs/errors/{code}"), "title": code.title(), "status": code.status(),
        "detail": "detail", "instance": "/v1/jobs", "code": code, "request_id": "request",
        "timestamp": "2026-03-14T09:26:50Z", "errors": []
    });
    (StatusCode::from_u16(code.status()).expect("a status"), axum::Json(body)).into_response()
}

pub(super) fn hash(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}

pub(super) fn id() -> JobId {
    ID.parse().expect("an id")
}

/// The receipt of a job that is alone in its batch.
pub(super) fn receipt(owner: Address, result_hash: B256) -> Receipt {
    let (salt, content_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let leaf = Leaf {
        index: Index::new(9),
        job_id: B256::from(id().to_word()),
        submitter: owner,
        result_hash,
        status: LeafStatus::Completed,
        content_hash: salted_content_hash(salt, content_hash),
        handle: B256::ZERO,
    };
    let inclusion = Batch::seal(std::slice::from_ref(&leaf)).expect("a batch").inclusion(0).expect("a leaf");
    let anchor = Anchor {
        chain_id: DOMAIN.chain_id,
        registry: DOMAIN.registry,
        tx_hash: B256::repeat_byte(3),
        block_number: 7,
        block_hash: B256::repeat_byte(4),
    };
    Receipt::of_plain_job(leaf, salt, content_hash, inclusion, anchor)
}
