//! Who gets the plaintext: the owner, once, and nobody else.

use std::io::Write;
use std::process::{Command, Stdio};

use client::{AccessChange, AccessRequest, ChainTrust, Retrieve, Submitter};
use jobs::JobId;
use jobs::wire::Job;
use reqwest::Method;
use retrieval::{Domain, RecipientKey, Retrieval, Signer};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::story::{Owner, REGULAR, bytes};
use crate::harness::{Answer, Stack, until};

/// A completed job of the regular owner, for all tests that ask for its result.
pub async fn a_job(owner: &Owner<'_>) -> Job {
    static JOB: OnceCell<JobId> = OnceCell::const_new();
    assert_eq!(owner.zama.tenant, REGULAR, "the job is not this owner's");
    let computed = JOB.get_or_init(async || {
        let blob = owner.encrypts(bytes(&[5, 9])).await;
        let job = owner.submits("encrypted_maximum", json!({}), blob).await;
        job.completes().await;
        job.id
    });
    owner.zama.job(*computed.await).now().await
}

/// A request as the owner's machine makes it, signed by whoever.
pub fn request(stack: &Stack, job: &Job, signer: &Signer, nonce: [u8; 32]) -> Value {
    request_until(None, stack, job, signer, nonce)
}

/// The same, that holds until then.
fn request_until(deadline: Option<u64>, stack: &Stack, job: &Job, signer: &Signer, nonce: [u8; 32]) -> Value {
    let recipient = RecipientKey::generate();
    let retrieval = Retrieval {
        job_id: job.job_id,
        nonce: nonce.into(),
        public_key_hash: recipient.public_key().unwrap().hash(),
        deadline,
    };
    let domain = Domain { chain_id: 31_337, registry: stack.registry.parse().unwrap() };
    let signature = signer.sign(retrieval.digest(domain)).unwrap();
    let mut body = json!({
        "clientSignature": format!("0x{}", alloy::hex::encode(signature.to_bytes())),
        "retrievalNonce": format!("0x{}", alloy::hex::encode(nonce)),
        "client_public_key": recipient.public_key().unwrap().to_pem(),
    });
    if let Some(deadline) = deadline {
        body["deadline"] = json!(deadline);
    }
    body
}

pub async fn asks(owner: &Owner<'_>, job: &Job, body: &Value) -> Answer {
    owner.zama.ask(Method::POST, &format!("/v1/jobs/{}/fhe-result", job.job_id), &[], Some(body)).await.unwrap()
}

#[tokio::test]
async fn another_implementation_signs_retrieves_and_opens() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let job = a_job(&owner).await;
    let key_manager = owner.opens(owner.zama.job(job.job_id)).await.key_manager().unwrap();
    let given = json!({
        "api": stack.api, "token": owner.zama.token, "job_id": job.job_id, "submitter_key": owner.secret,
        "chain_id": 31_337, "registry": stack.registry, "key_manager": key_manager,
        "result_hash": job.result.unwrap().hash,
    });
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent");
    let environment = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/python-env.sh"))
        .arg(format!("{folder}/requirements.txt"))
        .output()
        .unwrap();
    assert!(environment.status.success(), "{environment:?}");
    let python = format!("{}/bin/python", String::from_utf8(environment.stdout).unwrap().trim());
    let mut child = Command::new(python)
        .arg(format!("{folder}/retrieve.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["opened"], json!({"index": 1, "price": 9}));
}

#[tokio::test]
async fn a_nonce_serves_one_request() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let job = a_job(&owner).await;
    let signer = Signer::from_hex(&owner.secret).unwrap();
    let first = request(stack, &job, &signer, [1; 32]);
    let answer = asks(&owner, &job, &first).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let again = asks(&owner, &job, &first).await;
    assert_eq!((again.status, &again.body), (200, &answer.body), "the identical request gets the same bytes");
    // The same nonce for another key to seal to.
    let replayed = asks(&owner, &job, &request(stack, &job, &signer, [1; 32])).await;
    assert_eq!((replayed.status, replayed.code()), (409, "NONCE_REPLAYED"), "{replayed:?}");
}

#[tokio::test]
async fn a_grantee_reads_with_its_own_key_until_it_is_revoked() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    stack.funds(owner.submitter.address()).await;
    let job = a_job(&owner).await;
    let friend = Submitter::from(Signer::random());
    let chain = ChainTrust { rpc_url: stack.rpc.clone(), registry: stack.registry.parse().unwrap() };
    let trust = owner.trust();
    let change = async |change| {
        let (job_id, grantee) = (job.job_id, friend.address());
        let request = AccessRequest { job_id, grantee, change, submitter: &owner.submitter, chain: &chain };
        Box::pin(owner.client.change_access(request)).await.unwrap()
    };
    let reads = async || {
        Box::pin(owner.client.retrieve(job.job_id, &friend, Retrieve::new(trust.clone()))).await.map_err(|error| {
            let status = error.client().and_then(|error| error.status());
            (status, error.is_not_ready())
        })
    };
    assert_eq!(reads().await.unwrap_err().0, Some(403));

    assert!(change(AccessChange::Grant).await.mined.is_some());
    assert_eq!(change(AccessChange::Grant).await.mined, None, "it stands so");
    // The grant's block has to become as deep as the key manager asks for.
    let opened = until("the grantee reads", async || match reads().await {
        Ok(opened) => Some(opened),
        Err((_, true)) => None,
        Err(refused) => panic!("{refused:?}"),
    })
    .await;
    assert_eq!(opened.json(), r#"{"index":1,"price":9}"#);

    change(AccessChange::Revoke).await;
    assert_eq!(reads().await.unwrap_err().0, Some(403));
}

#[tokio::test]
async fn nobody_else_signs_for_it_and_nobody_too_late() {
    let stack = Stack::encrypted();
    let (owner, stranger) = (Owner::regular(stack).await, Owner::of(stack).await);
    let job = a_job(&owner).await;
    let thief = Signer::from_hex(&stranger.secret).unwrap();
    let refused = asks(&owner, &job, &request(stack, &job, &thief, [2; 32])).await;
    assert_eq!((refused.status, refused.code()), (403, "SIGNATURE_INVALID"), "{refused:?}");
    let owner_s = Signer::from_hex(&owner.secret).unwrap();
    let late = asks(&owner, &job, &request_until(Some(1_700_000_000), stack, &job, &owner_s, [2; 32])).await;
    assert_eq!((late.status, late.code()), (403, "SIGNATURE_EXPIRED"), "{late:?}");
    let unknown = asks(&stranger, &job, &request(stack, &job, &thief, [2; 32])).await;
    assert_eq!((unknown.status, unknown.code()), (404, "JOB_NOT_FOUND"), "{unknown:?}");
}
