//! The way back of a result: who reads it, and what is believed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::retrieval::{RecipientKey, Signer};
use alloy::primitives::{Address, B256};

use super::service::{ID, PLAINTEXT, Service, id};
use crate::ClientError;
use crate::encrypted::*;

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
