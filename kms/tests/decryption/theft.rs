//! Whoever stole API, database and the confirmer's key, but neither the owner's nor a worker's.

use jobs::{ErrorCode, JobId};
use retrieval::{RecipientKey, Signer};

use crate::stage::Stage;

/// The thief's job row points at the victim's result, and the batcher confirmed it.
#[tokio::test]
async fn a_leaf_that_gives_the_result_to_the_thief_opens_nothing() {
    let stage = Stage::set().await;
    let (thief, key) = (Signer::random(), RecipientKey::generate());
    let mut stolen = stage.computed(0);
    stolen.leaf.submitter = thief.address();
    stage.confirm(&stolen).await;
    stage.mine(2).await;
    stage.refuses(stage.asks(&thief, &stolen, &key), ErrorCode::AttestationInvalid).await;
}

/// And an attestation that the thief signed itself.
#[tokio::test]
async fn a_forged_attestation_opens_nothing() {
    let stage = Stage::set().await;
    let (thief, key) = (Signer::random(), RecipientKey::generate());
    let mut stolen = stage.computed(0);
    stolen.attestation.submitter = thief.address();
    stolen.leaf.submitter = thief.address();
    let forged = thief.sign(stolen.attestation.digest(stage.domain)).unwrap();
    stolen.leaf.handle = stolen.attestation.handle(&forged);
    stolen.attestation_signature = forged.to_bytes().to_vec();
    stage.confirm(&stolen).await;
    stage.mine(2).await;
    stage.refuses(stage.asks(&thief, &stolen, &key), ErrorCode::AttestationInvalid).await;
}

/// The thief has a job of its own, attested to it, and puts the victim's result in its place.
#[tokio::test]
async fn the_attestation_of_another_job_opens_nothing() {
    let stage = Stage::set().await;
    let (thief, key) = (Signer::random(), RecipientKey::generate());
    let victim = stage.computed(0);
    let mut own = stage.computed(1);
    own.attestation.submitter = thief.address();
    own.attestation.result_hash.0[0] ^= 1;
    own.leaf.submitter = thief.address();
    let genuine = stage.worker.sign(own.attestation.digest(stage.domain)).unwrap();
    own.leaf.handle = own.attestation.handle(&genuine);
    own.attestation_signature = genuine.to_bytes().to_vec();
    assert_eq!(own.leaf.result_hash, victim.leaf.result_hash);
    stage.confirm(&own).await;
    stage.mine(2).await;
    stage.refuses(stage.asks(&thief, &own, &key), ErrorCode::AttestationInvalid).await;

    // The victim's own attestation under another job's id.
    let mut renamed = stage.computed(2);
    let other = JobId::generate();
    renamed.leaf.job_id = other.to_word().into();
    stage.confirm(&renamed).await;
    stage.mine(2).await;
    let mut asked = stage.asks(&stage.owner, &renamed, &key);
    asked.retrieval.job_id = other;
    asked.retrieval_signature = stage.owner.sign(asked.retrieval.digest(stage.domain)).unwrap().to_bytes().to_vec();
    stage.refuses(asked, ErrorCode::ResultUnverified).await;
}

/// Everything is genuine but who signs.
#[tokio::test]
async fn another_submitter_s_signature_opens_nothing() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    stage.refuses(stage.asks(&Signer::random(), &job, &key), ErrorCode::SignatureInvalid).await;
    let mut unsigned = stage.asks(&stage.owner, &job, &key);
    unsigned.retrieval_signature = vec![0; 65];
    stage.refuses(unsigned, ErrorCode::SignatureInvalid).await;
}
