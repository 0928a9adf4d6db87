//! Grants on chain: who else reads, and for how long.

use jobs::ErrorCode;
use retrieval::{RecipientKey, Signer};

use crate::stage::{Job, SECRET, Stage};

async fn grant(stage: &Stage, job: &Job, grantee: &Signer) {
    let inclusion = stage.asks(&stage.owner, job, &RecipientKey::generate()).inclusion;
    let entries = inclusion.entries.iter().map(Into::into).collect();
    let registry = stage.registry(&stage.owner);
    let call = registry.grantAccess(inclusion.root, entries, (&job.leaf).into(), inclusion.proof, grantee.address());
    assert!(call.send().await.unwrap().get_receipt().await.unwrap().status());
}

async fn revoke(stage: &Stage, job: &Job, grantee: &Signer) {
    let registry = stage.registry(&stage.owner);
    let call = registry.revokeAccess((&job.leaf).into(), grantee.address());
    assert!(call.send().await.unwrap().get_receipt().await.unwrap().status());
}

#[tokio::test]
async fn a_grantee_reads_from_the_final_grant_until_it_is_revoked() {
    let stage = Stage::set().await;
    let (job, friend, key) = (stage.completed(0).await, Signer::random(), RecipientKey::generate());
    let asked = stage.asks(&friend, &job, &key);
    stage.refuses(asked.clone(), ErrorCode::SignatureInvalid).await;

    let granted = async || stage.client.has_access(job.leaf.hash(), friend.address()).await.unwrap();
    assert!(!granted().await);
    grant(&stage, &job, &friend).await;
    assert!(granted().await);
    stage.refuses(asked.clone(), ErrorCode::ResultNotReady).await;
    stage.mine(2).await;
    let answer = stage.client.decrypt(asked.clone()).await.unwrap();
    assert_eq!(stage.opens(&answer, &asked, &key), format!(r#"{{"count":1,"value":{SECRET}}}"#));

    // At once, though the revocation is not final: and no earlier answer is repeated either.
    revoke(&stage, &job, &friend).await;
    assert!(!granted().await);
    stage.refuses(asked, ErrorCode::AccessRevoked).await;
    stage.refuses(stage.asks(&friend, &job, &key), ErrorCode::AccessRevoked).await;
    // Once that is final, too, the account is one that holds no grant.
    stage.mine(5).await;
    stage.refuses(stage.asks(&friend, &job, &key), ErrorCode::SignatureInvalid).await;
}

#[tokio::test]
async fn a_grant_of_one_job_opens_no_other() {
    let stage = Stage::set().await;
    let (mine, other, friend) = (stage.completed(0).await, stage.completed(1).await, Signer::random());
    grant(&stage, &mine, &friend).await;
    stage.mine(2).await;
    stage.refuses(stage.asks(&friend, &other, &RecipientKey::generate()), ErrorCode::SignatureInvalid).await;
}
