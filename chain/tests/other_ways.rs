//! Confirming by a relayed signature and by a single leaf: found, verified and refused like any other batch.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;

use alloy::primitives::{Address, Bytes, U256, address};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolEvent;
use anvil::{Anvil, CHAIN_ID, CONFIRMER, CONFIRMER_KEY, SALT, content_hash, found, leaves};
use chain::verify::{Source, verify_receipt};
use chain::{ChainError, RevertReason};
use contracts::ZamaJobsRegistry::{JobConfirmed, ZamaJobsRegistryErrors, ZamaJobsRegistryInstance};
use contracts::{BatchStatement, ZamaJobsRegistry};
use jobs::merkle::{self, Batch};
use jobs::receipt::{Anchor, Receipt};

/// anvil's account 9: no role, but unlocked and rich.
const RELAYER: Address = address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720");

fn registry(anvil: &Anvil, address: Address) -> ZamaJobsRegistryInstance<impl Provider> {
    ZamaJobsRegistry::new(address, ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap()))
}

fn refusal(error: alloy::contract::Error) -> ZamaJobsRegistryErrors {
    match ChainError::from(error) {
        ChainError::Reverted(RevertReason::Registry(error)) => *error,
        other => panic!("not an error of the registry: {other}"),
    }
}

#[tokio::test]
async fn a_signed_batch_is_relayed_by_anybody_once() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let registry = registry(&anvil, sender.client().config().registry);
    let batch = Batch::seal(&leaves(250..262)).unwrap();
    let entries: Vec<ZamaJobsRegistry::Entry> = batch.entries().iter().map(Into::into).collect();
    let deadline = u64::from(u32::MAX);
    let statement =
        BatchStatement { root: batch.root(), entries_hash: merkle::entries_hash(batch.entries()), deadline };
    let digest = statement.signing_hash(CHAIN_ID, *registry.address());
    let on_chain = registry.hashConfirmBatch(batch.root(), entries.clone(), U256::from(deadline)).call().await.unwrap();
    assert_eq!(digest, on_chain);

    let sign = |digest| -> Bytes {
        let signer: PrivateKeySigner = CONFIRMER_KEY.parse().unwrap();
        signer.sign_hash_sync(&digest).unwrap().as_bytes().into()
    };
    let relay = |signature| {
        registry.confirmBatchSigned(batch.root(), entries.clone(), U256::from(deadline), signature).from(RELAYER)
    };
    for elsewhere in [
        statement.signing_hash(CHAIN_ID + 1, *registry.address()),
        statement.signing_hash(CHAIN_ID, CONFIRMER),
        BatchStatement { deadline: deadline + 1, ..statement }.signing_hash(CHAIN_ID, *registry.address()),
    ] {
        let refused = relay(sign(elsewhere)).call().await.unwrap_err();
        assert!(matches!(refusal(refused), ZamaJobsRegistryErrors::SignerNotConfirmer(_)));
    }
    let sent = relay(sign(digest)).send().await.unwrap().get_receipt().await.unwrap();

    let confirmed = found(&sender, &batch, 0).await;
    assert_eq!((confirmed.tx_hash, confirmed.entries.as_slice()), (sent.transaction_hash, batch.entries()));
    let again = relay(sign(digest)).call().await.unwrap_err();
    assert!(matches!(refusal(again), ZamaJobsRegistryErrors::RootAlreadyConfirmed(e) if e.root == batch.root()));
}

#[tokio::test]
async fn a_single_job_is_a_batch_of_one_for_whoever_looks() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let registry = registry(&anvil, sender.client().config().registry);
    let leaf = leaves(513..514).remove(0);
    let batch = Batch::seal(std::slice::from_ref(&leaf)).unwrap();
    let call = registry.confirmJob((&leaf).into()).from(CONFIRMER);
    let sent = call.send().await.unwrap().get_receipt().await.unwrap();

    let confirmed = found(&sender, &batch, 0).await;
    assert_eq!((confirmed.tx_hash, confirmed.entries.as_slice()), (sent.transaction_hash, batch.entries()));
    let events: Vec<JobConfirmed> =
        sent.logs().iter().filter_map(|log| JobConfirmed::decode_log(&log.inner).ok()).map(|log| log.data).collect();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].leafHash, &events[0].leaf), (leaf.hash(), &(&leaf).into()));

    let anchor = Anchor {
        chain_id: CHAIN_ID,
        registry: *registry.address(),
        tx_hash: confirmed.tx_hash,
        block_number: confirmed.block_number,
        block_hash: confirmed.block_hash,
    };
    let receipt = Receipt::of_plain_job(leaf, SALT, content_hash(513), batch.inclusion(0).unwrap(), anchor);
    let report = verify_receipt(&receipt, &Source::Rpc { url: anvil.rpc_url.clone(), registry: None }).await;
    assert!(report.passed(), "{report:#?}");
}
