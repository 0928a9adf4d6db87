//! Somebody stole the database and the blob store, and is a tenant with a submitter of its own: no way of writing there
//! leads to a plaintext.

use ciborium::Value as Cbor;
use client::{EncryptedInputs, JobKey};
use jobs::{ErrorCode, JobStatus};
use retrieval::Signer;
use serde_json::json;
use tokio::sync::Mutex;

use super::refusals::was_not_computed;
use super::retrieval::{asks, request};
use super::story::{KeyHolder, Owner, WORKER_LIFE, bytes, power, powers};
use crate::harness::{JobHandle, Stack, WORKER};

/// Whoever stops the worker of queue `jobs` is alone with it.
static STILL: Mutex<()> = Mutex::const_new(());

const ALGORITHM: &str = "encrypted_maximum";
const PRODUCTS: usize = 10;

/// What the blob store holds as a job's result.
fn stolen_result(stack: &Stack, job: JobHandle<'_>) -> Vec<u8> {
    let folder = stack.place.data_dir().join(format!("blobs/system/results/{}", job.id));
    let results: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [result] = results.as_slice() else { panic!("{results:?}") };
    std::fs::read(result).unwrap()
}

#[tokio::test]
async fn a_row_that_makes_the_victim_s_result_the_thief_s_is_confirmed_and_opens_nothing() {
    let stack = Stack::encrypted();
    let (victim, thief) = (Owner::regular(stack).await, Owner::thief(stack).await);
    let signer = Signer::from_hex(&thief.secret).unwrap();
    let _still = STILL.lock().await;
    let blob = victim.encrypts(bytes(&[5, 9])).await;
    let job = victim.submits(ALGORITHM, json!({}), blob).await;
    job.reaches(JobStatus::Processing).await;
    // Nothing is confirmed until the row says what the thief wants.
    let outage = stack.stops("worker");
    job.reaches(JobStatus::Confirming).await;
    let forgery = sqlx::query("UPDATE jobs SET tenant = $2, submitter = $3 WHERE id = $1")
        .bind(job.id.0)
        .bind(thief.zama.tenant.clone())
        .bind(signer.address().to_vec());
    assert_eq!(stack.execute(forgery).await, 1);
    outage.over();

    let stolen = thief.zama.job(job.id);
    let completed = stolen.completes().await;
    let receipt = stolen.receipt().await;
    assert_eq!(receipt.leaf.submitter, signer.address(), "the chain says that it is the thief's");
    let refused = asks(&thief, &completed, &request(stack, &completed, &signer, [1; 32])).await;
    assert_eq!((refused.status, refused.code()), (403, "ATTESTATION_INVALID"), "{refused:?}");
    assert!(refused.body.get("ciphertext").is_none(), "{refused:?}");
}

/// The proof of the inputs names the victim, whatever the row says, and nobody computes on inputs without their proof.
#[tokio::test]
async fn a_row_that_is_forged_before_anything_is_computed_has_nothing_computed() {
    let stack = Stack::encrypted();
    let (victim, thief) = (Owner::regular(stack).await, Owner::thief(stack).await);
    let signer = Signer::from_hex(&thief.secret).unwrap();
    let blob = victim.encrypts(bytes(&[5, 9])).await;
    // The thief has the victim's bytes, and uploads them as its own.
    thief.uploads(blob.clone()).await;

    let _lives = WORKER_LIFE.read().await;
    let _still = STILL.lock().await;
    let outage = stack.stops("worker");
    let resigned = victim.submits(ALGORITHM, json!({}), blob.clone()).await;
    let moved = victim.submits(ALGORITHM, json!({}), blob).await;
    for (job, tenant) in [(resigned, &victim.zama.tenant), (moved, &thief.zama.tenant)] {
        let forgery = "UPDATE jobs SET tenant = $2, submitter = $3 WHERE id = $1 AND status = 'PENDING'";
        let forgery = sqlx::query(forgery).bind(job.id.0).bind(tenant.clone()).bind(signer.address().to_vec());
        assert_eq!(stack.execute(forgery).await, 1, "nothing was begun yet");
    }
    outage.over();

    let moved = thief.zama.job(moved.id);
    for job in [resigned, moved] {
        let failed = job.fails().await;
        assert_eq!(failed.error.as_ref().unwrap().code, ErrorCode::CiphertextInvalid, "{failed:#?}");
        was_not_computed(stack, job).await;
    }
    let failed = moved.now().await;
    let refused = asks(&thief, &failed, &request(stack, &failed, &signer, [1; 32])).await;
    assert_eq!((refused.status, refused.code()), (422, "CIPHERTEXT_INVALID"), "{refused:?}");
}

#[tokio::test]
async fn the_victim_s_checkpoint_under_the_thief_s_job_is_not_gone_on_from() {
    let stack = Stack::encrypted();
    let (victim, thief) = (Owner::regular(stack).await, Owner::thief(stack).await);
    let _lives = WORKER_LIFE.read().await;
    let blob = thief.encrypts(bytes(&[3])).await;
    let own = thief.submits("program", powers(PRODUCTS), blob.clone()).await;
    own.completes().await;
    let secret = victim.submits("program", powers(PRODUCTS), victim.encrypts(bytes(&[5])).await).await;
    let stolen = stack.steals_a_checkpoint(secret).await;

    let outage = stack.stops(WORKER);
    let job = thief.submits("program", powers(PRODUCTS), blob).await;
    job.reaches(JobStatus::Processing).await;
    stack.plants(&stolen, job, &stack.inputs_hash(own).await).await;
    outage.over();
    job.completes().await;
    let read: serde_json::Value = serde_json::from_str(thief.opens(job).await.json()).unwrap();
    assert_eq!(read, power(3, PRODUCTS), "nothing of the victim's");
    assert_eq!(stack.says_of(WORKER, "no worker of ours made", &job.id.to_string()), 1);
    secret.completes().await;
}

#[tokio::test]
async fn the_victim_s_ciphertexts_are_no_inputs_of_the_thief() {
    let stack = Stack::encrypted();
    let (victim, thief) = (Owner::regular(stack).await, KeyHolder::being(Owner::thief(stack).await).await);
    let inputs = victim.encrypts(bytes(&[5, 9])).await;
    let job = victim.submits(ALGORITHM, json!({}), inputs.clone()).await;
    job.completes().await;
    let result = stolen_result(stack, job);
    let map: Cbor = ciborium::from_reader(result.as_slice()).unwrap();
    let values: Vec<Cbor> =
        map.into_map().unwrap().into_iter().map(|(_, value)| value).filter(Cbor::is_bytes).collect();
    assert_eq!(values.len(), 2, "index and price");
    let mut array = Vec::new();
    ciborium::into_writer(&Cbor::Array(values), &mut array).unwrap();

    for (what, stolen) in [("inputs", &inputs), ("result", &result), ("result, as an array", &array)] {
        let network = thief.owner.submits(ALGORITHM, json!({}), stolen.clone()).await.fails().await;
        assert_eq!(network.error.unwrap().code, ErrorCode::CiphertextInvalid, "{what}, under the network's key");
        let named = EncryptedInputs::new(stolen.clone(), JobKey::client(thief.key.id()));
        let own = thief.submits(ALGORITHM, json!({}), &named).await.fails().await;
        assert_eq!(own.error.unwrap().code, ErrorCode::CiphertextInvalid, "{what}, under the thief's own key");
    }
}
