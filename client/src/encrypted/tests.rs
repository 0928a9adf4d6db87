//! Encrypted jobs against an API of this process that holds a key manager's key: the wire, the checks, the refusals.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
use retrieval::{
    Answer, Domain, NetworkKeyClaim, PublicKey, RecipientKey, Retrieval, SealedClaim, Signature, Signer, seal,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::*;
use crate::{Client, ClientError, RetryPolicy};

const ID: &str = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";
const PLAINTEXT: &str = r#"{"sum":15,"mean":5,"above":true}"#;
/// What a program with one clear output leaves: {"count": 3}.
const CLEAR_RESULT: &[u8] = b"\xa1\x65count\x03";

const DOMAIN: Domain = Domain { chain_id: 31_337, registry: Address::repeat_byte(0xaa) };

/// The network key of these parts, as an API describes it: consistent, and signed by whoever.
fn described(parts: &[Vec<u8>; 2], signer: &Signer, domain: Domain) -> Value {
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
struct Service {
    owner: Signer,
    manager: Signer,
    receipt: Mutex<Receipt>,
    result: Vec<u8>,
    network: Value,
    parts: [Vec<u8>; 2],
    /// Looks at the receipt that come too early still.
    early: Mutex<u32>,
    asked: Mutex<Vec<String>>,
    /// Until when the requests hold, in Unix seconds.
    deadlines: Mutex<Vec<u64>>,
}

impl Service {
    fn new() -> Self {
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

    async fn start(self) -> (Arc<Self>, Client) {
        let service = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&service));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let fast = RetryPolicy { first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        (service, Client::new(&origin, "secret").expect("a client").with_retries(fast))
    }

    fn owner(&self) -> Submitter {
        self.owner.clone().into()
    }

    fn trust(&self) -> Trust {
        Trust::key_manager(self.manager.address())
    }

    fn asked(&self) -> Vec<String> {
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

fn hash(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}

fn id() -> JobId {
    ID.parse().expect("an id")
}

/// The receipt of a job that is alone in its batch.
fn receipt(owner: Address, result_hash: B256) -> Receipt {
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

#[tokio::test]
async fn the_owner_reads_the_result_in_its_order() {
    let (service, client) = Service::new().start().await;
    let options = Retrieve::new(service.trust());
    let opened = client.retrieve(id(), &service.owner(), options.clone()).await.unwrap();
    assert_eq!(opened.json(), PLAINTEXT);
    let names: Vec<String> = opened.outputs().unwrap().into_iter().map(|output| output.name).collect();
    assert_eq!(names, ["sum", "mean", "above"]);
    assert_eq!(opened.key_manager(), Some(service.manager.address()));
    assert!(opened.report().is_none(), "no chain was asked");
    let document = serde_json::to_string(&opened).unwrap();
    assert!(document.contains(&format!("\"result\":{PLAINTEXT}")), "{document}");

    let kept = RecipientKey::generate();
    let sealed = client.retrieve(id(), &service.owner(), options.sealed_to(kept)).await.unwrap();
    assert_eq!(sealed.json(), PLAINTEXT);
}

#[tokio::test]
async fn a_receipt_that_the_owner_handed_over_is_not_asked_for_and_checked_all_the_same() {
    let (service, client) = Service::new().start().await;
    let receipt = service.receipt.lock().unwrap().clone();
    let options = Retrieve::new(service.trust()).with_receipt(receipt.clone());
    assert_eq!(client.retrieve(id(), &service.owner(), options).await.unwrap().json(), PLAINTEXT);
    let mut forged = receipt;
    forged.leaf.submitter = Address::ZERO;
    let options = Retrieve::new(service.trust()).with_receipt(forged);
    let error = client.retrieve(id(), &service.owner(), options).await.unwrap_err();
    assert!(matches!(error, EncryptedError::Receipt(_)), "{error}");
    assert_eq!(service.asked(), [format!("POST /v1/jobs/{ID}/fhe-result")]);
}

#[tokio::test]
async fn what_is_signed_holds_ten_minutes_beyond_the_patience() {
    let (service, client) = Service::new().start().await;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let hour = Duration::from_secs(3_600);
    let (options, began) = (Retrieve::new(service.trust()), now());
    for options in [options.clone(), options.clone().patient(hour), options.valid_for(hour)] {
        client.retrieve(id(), &service.owner(), options).await.unwrap();
    }
    let deadlines = service.deadlines.lock().unwrap().clone();
    for (deadline, seconds) in deadlines.into_iter().zip([600, 4_200, 3_600]) {
        assert!((began + seconds..=now() + seconds).contains(&deadline), "{deadline} is not {seconds} s from {began}");
    }
}

#[tokio::test]
async fn somebody_else_is_told_whose_job_it_is() {
    let (service, client) = Service::new().start().await;
    let stranger = Submitter::from(Signer::random());
    let error = client.retrieve(id(), &stranger, Retrieve::new(service.trust())).await.unwrap_err();
    let EncryptedError::OtherSubmitter { owner, signer, .. } = &error else { panic!("{error}") };
    assert_eq!((*owner, *signer), (service.owner.address(), stranger.address()));
    assert_eq!(error.client().and_then(ClientError::status), Some(403));
}

#[tokio::test]
async fn an_answer_of_another_key_manager_is_not_believed() {
    let (service, client) = Service::new().start().await;
    let trust = Trust::key_manager(Address::repeat_byte(5));
    let error = client.retrieve(id(), &service.owner(), Retrieve::new(trust)).await.unwrap_err();
    assert!(matches!(error, EncryptedError::Answer(_)) && error.is_distrust(), "{error}");
    let error = client.retrieve(id(), &service.owner(), Retrieve::new(Trust::default())).await.unwrap_err();
    assert!(matches!(error, EncryptedError::NoTrust), "{error}");
    assert_eq!(service.asked().iter().filter(|asked| asked.ends_with("fhe-result")).count(), 1, "nobody signs in vain");
}

#[tokio::test]
async fn a_receipt_that_does_not_fit_ends_it_before_anything_is_signed() {
    let (service, client) = Service::new().start().await;
    let right = service.receipt.lock().unwrap().clone();
    let mut forged = right.clone();
    forged.leaf.submitter = Address::repeat_byte(6);
    let mut of_another_job = right;
    of_another_job.leaf.job_id = B256::repeat_byte(1);
    for wrong in [forged, of_another_job] {
        *service.receipt.lock().unwrap() = wrong;
        let error = client.retrieve(id(), &service.owner(), Retrieve::new(service.trust())).await.unwrap_err();
        assert!(matches!(error, EncryptedError::Receipt(_) | EncryptedError::WrongReceipt(_)), "{error}");
    }
    assert!(service.asked().iter().all(|asked| !asked.ends_with("fhe-result")));
}

#[tokio::test]
async fn an_early_question_is_repeated_only_by_the_patient() {
    let service = Service::new();
    *service.early.lock().unwrap() = 3;
    let (service, client) = service.start().await;
    let options = Retrieve::new(service.trust());
    let error = client.retrieve(id(), &service.owner(), options.clone()).await.unwrap_err();
    assert!(error.is_not_ready(), "{error}");
    let opened = client.retrieve(id(), &service.owner(), options.patient(Duration::from_secs(20))).await.unwrap();
    assert_eq!(opened.json(), PLAINTEXT);
}

#[tokio::test]
async fn a_network_key_is_believed_only_with_its_hashes() {
    let watch = unwatched();
    let fetched = |service: Service| async {
        let (service, client) = service.start().await;
        (client.network_key(&service.trust(), None, &unwatched()).await.map(|_| ()).unwrap_err(), service)
    };
    let (error, service) = fetched(Service::new()).await;
    // Right hashes, but no key of tfhe's: everything before that passed.
    assert!(matches!(error, EncryptedError::Key(_)), "{error}");
    assert_eq!(service.asked()[1..], ["GET /v1/fhe/keys/network/public-key", "GET /v1/fhe/keys/network/crs"]);

    let mut other_id = Service::new();
    other_id.network["key_id"] = json!(B256::ZERO);
    let (error, _) = fetched(other_id).await;
    assert!(matches!(error, EncryptedError::KeyId { .. }), "{error}");
    let mut other_bytes = Service::new();
    other_bytes.parts[1] = b"reference strinG".to_vec();
    let (error, _) = fetched(other_bytes).await;
    assert!(matches!(error, EncryptedError::KeyPart { part: "common reference string", .. }), "{error}");
    let mut longer = Service::new();
    longer.parts[0] = vec![0; 5_000];
    let (error, _) = fetched(longer).await;
    assert!(matches!(error, EncryptedError::Client(ClientError::Unexpected { .. })), "{error}");
    let mut none = Service::new();
    none.network = Value::Null;
    let (error, _) = fetched(none).await;
    assert!(matches!(error, EncryptedError::NoNetworkKey), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let cache = KeyCache::at(folder.path());
    let (service, client) = Service::new().start().await;
    for _ in 0..2 {
        assert!(client.network_key(&service.trust(), Some(&cache), &watch).await.is_err());
    }
    assert_eq!(service.asked().iter().filter(|asked| asked.contains("/network/")).count(), 2, "each part once");
}

/// Everything that the thief's API says fits together; only who signed it does not.
#[tokio::test]
async fn a_stolen_api_gets_nobody_to_encrypt_under_its_own_key() {
    let theft = async |stolen: fn(&mut Service)| {
        let mut service = Service::new();
        stolen(&mut service);
        let (service, client) = service.start().await;
        let error = client.network_key(&service.trust(), None, &unwatched()).await.map(|_| ()).unwrap_err();
        assert!(error.is_distrust(), "{error}");
        assert_eq!(service.asked(), ["GET /v1/fhe/keys"], "nothing of the key is even fetched");
        error
    };
    let unsigned = |error: &EncryptedError| matches!(error, EncryptedError::UnsignedNetworkKey { .. });
    // A key of the thief's own, signed by itself.
    let error = theft(|service| {
        service.parts = [b"another key".to_vec(), b"another string".to_vec()];
        service.network = described(&service.parts, &Signer::random(), DOMAIN);
    });
    assert!(unsigned(&error.await));
    // The same under the key manager's own signature, which is over another key.
    let error = theft(|service| {
        let parts = [b"another key".to_vec(), b"another string".to_vec()];
        let genuine = service.network["signature"].take();
        service.network = described(&parts, &service.manager, DOMAIN);
        service.network["signature"] = genuine;
    });
    assert!(unsigned(&error.await));
    let error = theft(|service| service.network["parameters"] = json!("network/weak"));
    assert!(unsigned(&error.await));
    let error = theft(|service| service.network["signature"] = json!("0x"));
    assert!(unsigned(&error.await));

    let (service, client) = Service::new().start().await;
    let nobody = client.network_key(&Trust::default(), None, &unwatched()).await.map(|_| ()).unwrap_err();
    assert!(matches!(nobody, EncryptedError::NoTrust), "{nobody}");
    let elsewhere = Trust::chain("http://127.0.0.1:9", Address::ZERO);
    let error = client.network_key(&elsewhere, None, &unwatched()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::OtherRegistry { .. }), "{error}");
    let id = client.network_key_described().await.unwrap().info().key_id;
    let known = client.network_key_described().await.unwrap().expect(id).unwrap();
    assert_eq!(known.info().key_id, id, "an id that was learnt elsewhere is enough");
    let other = client.network_key_described().await.unwrap().expect(B256::ZERO).unwrap_err();
    assert!(matches!(other, EncryptedError::OtherNetworkKey { .. }) && other.is_distrust(), "{other}");
    assert!(service.asked().iter().all(|asked| !asked.contains("/network/")));
}

#[tokio::test]
async fn a_result_under_an_own_key_is_opened_here_and_only_if_it_was_confirmed() {
    let files = OwnKeyFiles::generate().await.unwrap();
    let key = OwnKey::from_bytes(&files.secret_key, files.key_id).unwrap();
    assert!(OwnKey::is_secret(&files.secret_key) && !OwnKey::is_secret(b"anything"));
    assert_eq!(OwnKey::id_of(&files.evaluation_key), files.key_id);
    let inputs = key.encrypt(vec![crate::ClearValue::U8(3), crate::ClearValue::Bool(true)]).await.unwrap();
    assert_eq!(inputs.key(), JobKey::client(files.key_id));
    let none = key.encrypt(Vec::new()).await.unwrap_err();
    assert!(matches!(none, EncryptedError::Encrypt(_)), "{none}");

    let (service, client) = Service::new().start().await;
    let opened = client.decrypt(id(), &key, &Trust::default()).await.unwrap();
    assert_eq!((opened.json(), opened.key_manager()), (r#"{"count":3}"#, None));
    let of_another_key = Receipt { key_hash: Some(B256::ZERO), ..service.receipt.lock().unwrap().clone() };
    *service.receipt.lock().unwrap() = of_another_key;
    let error = client.decrypt(id(), &key, &Trust::default()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::OtherKey { .. } | EncryptedError::Receipt(_)), "{error}");
    *service.receipt.lock().unwrap() = receipt(Address::ZERO, B256::ZERO);
    let error = client.decrypt(id(), &key, &Trust::default()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::Unconfirmed { .. }), "{error}");
}

#[tokio::test]
async fn uploads_come_from_memory_and_from_files_and_are_told_as_they_go() {
    let (_service, client) = Service::new().start().await;
    let bytes = vec![7; 200_000];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, &bytes).unwrap();
    for upload in [Upload::of_bytes(bytes.clone()), Upload::of_file(&file).await.unwrap()] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::clone(&told);
        let progress: OnBytes = Arc::new(move |bytes| teller.lock().expect("no panic").push(bytes));
        let blob = client.upload_blob(&upload, &progress).await.unwrap();
        assert_eq!((blob.sha256, blob.size), (hash(&bytes), 200_000));
        let told = told.lock().unwrap();
        assert!(told.len() > 1 && told.is_sorted() && told.last() == Some(&200_000), "{told:?}");
    }
    let missing = Upload::of_file(&folder.path().join("none")).await.unwrap_err();
    assert!(matches!(missing, EncryptedError::File { doing: "read", .. }), "{missing}");
}
