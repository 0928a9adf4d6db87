//! A grant on chain: somebody of another tenant opens the result, and nobody without one does.

use alloy::primitives::Address;
use alloy::providers::ProviderBuilder;
use client::{ClientError, Retrieve};
use contracts::ZamaJobsRegistry;
use jobs::receipt::Receipt;
use serde_json::json;

use super::story::{Owner, bytes};
use crate::harness::{Stack, until};

/// The owner's transaction; anvil signs for it and pays.
async fn grants(stack: &Stack, receipt: &Receipt, grantee: Address) {
    let owner = receipt.leaf.submitter;
    stack.calls_node("anvil_setBalance", json!([owner, "0xde0b6b3a7640000"])).await;
    stack.calls_node("anvil_impersonateAccount", json!([owner])).await;
    let provider = ProviderBuilder::new().connect_http(stack.rpc.parse().unwrap());
    let registry = ZamaJobsRegistry::new(receipt.registry, provider);
    let entries = receipt.entries.iter().map(Into::into).collect();
    let leaf = (&receipt.leaf).into();
    let call = registry.grantAccess(receipt.root, entries, leaf, receipt.proof.clone(), grantee).calldata().clone();
    let transaction = json!([{"from": owner, "to": receipt.registry, "data": call}]);
    stack.calls_node("eth_sendTransaction", transaction).await;
}

#[tokio::test]
async fn a_grantee_of_another_tenant_opens_the_result() {
    let stack = Stack::encrypted();
    // Transactions of one account at once would take each other's place.
    let (owner, friend) = (Owner::colleague(stack, "granter").await, Owner::of(stack).await);
    let blob = owner.encrypts(bytes(&[5, 9])).await;
    let job = owner.submits("encrypted_maximum", json!({}), blob).await.completes().await;
    let receipt: Receipt = serde_json::from_value(owner.client.receipt(job.job_id).await.unwrap()).unwrap();
    let opens = async || {
        let options = Retrieve::new(owner.trust()).with_receipt(receipt.clone());
        Box::pin(friend.client.retrieve(job.job_id, &friend.submitter, options)).await
    };
    let refused = opens().await.unwrap_err();
    assert_eq!(refused.client().and_then(ClientError::status), Some(404), "{refused}");

    grants(stack, &receipt, friend.submitter.address()).await;
    let opened = until("the grant is settled", async || match opens().await {
        Ok(opened) => Some(opened),
        Err(early) => {
            let status = early.client().and_then(ClientError::status);
            assert!(matches!(status, Some(404 | 409)), "{early}");
            None
        }
    })
    .await;
    assert_eq!(opened.json(), r#"{"index":1,"price":9}"#);
}
