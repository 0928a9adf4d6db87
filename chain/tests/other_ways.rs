//! Confirming by a relayed signature and by a single leaf: found, verified and refused like any other batch.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;

use alloy::contract::SolCallBuilder;
use alloy::primitives::{Address, B256, Bytes, U256, address, uint};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolEvent, SolStruct, eip712_domain};
use anvil::{Anvil, CHAIN_ID, CONFIRMER, CONFIRMER_KEY, DEPLOYER_KEY, SALT, TIMEOUT, content_hash, found, leaves};
use chain::verify::{Source, verify_receipt};
use chain::{ChainError, RevertReason, ensure_registry};
use contracts::ZamaJobsRegistry::{
    JobConfirmed, ZamaJobsRegistryErrors, ZamaJobsRegistryInstance, confirmBatchSignedCall as Signed,
};
use contracts::{BatchStatement, ZamaJobsRegistry};
use jobs::merkle::{self, Batch};
use jobs::receipt::{Anchor, Receipt};

mod typed {
    alloy::sol! {
        struct ConfirmBatch {
            bytes32 root;
            bytes32 entriesHash;
            uint256 deadline;
        }
    }
}
use typed::ConfirmBatch;

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
    let gas = sender.client().gas(&confirmed).await.unwrap();
    assert_eq!((gas.used, gas.price), (sent.gas_used, sent.effective_gas_price), "whoever paid it");
    let again = relay(sign(digest)).call().await.unwrap_err();
    assert!(matches!(refusal(again), ZamaJobsRegistryErrors::RootAlreadyConfirmed(e) if e.root == batch.root()));
}

/// A batch, and a way to relay it with any signature.
struct Relay<P: Provider> {
    registry: ZamaJobsRegistryInstance<P>,
    batch: Batch,
    deadline: u64,
}

impl<P: Provider> Relay<P> {
    fn statement(&self) -> BatchStatement {
        let entries_hash = merkle::entries_hash(self.batch.entries());
        BatchStatement { root: self.batch.root(), entries_hash, deadline: self.deadline }
    }

    /// The digest as it must be.
    fn digest(&self) -> B256 {
        self.statement().signing_hash(CHAIN_ID, *self.registry.address())
    }

    fn call(&self, signature: Bytes) -> SolCallBuilder<&P, Signed> {
        let entries = self.batch.entries().iter().map(Into::into).collect();
        let deadline = U256::from(self.deadline);
        self.registry.confirmBatchSigned(self.batch.root(), entries, deadline, signature).from(RELAYER)
    }

    /// Why it is refused; nothing of it is on chain afterwards.
    async fn refused(&self, signature: Bytes) -> ZamaJobsRegistryErrors {
        let refused = refusal(self.call(signature).call().await.unwrap_err());
        let entries = self.registry.batchEntriesHash(self.batch.root()).call().await.unwrap();
        assert!(entries.is_zero(), "a refused batch was confirmed");
        refused
    }
}

fn signer(key: &str) -> PrivateKeySigner {
    key.parse().unwrap()
}

fn signed(key: &str, digest: B256) -> Bytes {
    signer(key).sign_hash_sync(&digest).unwrap().as_bytes().into()
}

/// The same signature in the upper half of s: it recovers to the same signer where nobody looks.
fn in_the_upper_half(signature: &Bytes) -> Bytes {
    const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
    let mut bytes = signature.to_vec();
    let s = ORDER - U256::from_be_slice(&bytes[32..64]);
    bytes[32..64].copy_from_slice(&s.to_be_bytes::<32>());
    bytes[64] = 27 + 28 - bytes[64];
    bytes.into()
}

#[tokio::test]
async fn a_signature_is_refused_for_whatever_is_wrong_with_it() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let registry = registry(&anvil, sender.client().config().registry);
    let batch = Batch::seal(&leaves(40..45)).unwrap();
    let relay = Relay { registry, batch, deadline: u64::from(u32::MAX) };
    let good = signed(CONFIRMER_KEY, relay.digest());

    // Somebody else's, though the statement is right: the error names who signed.
    let other = relay.refused(signed(DEPLOYER_KEY, relay.digest())).await;
    let expected = signer(DEPLOYER_KEY).address();
    assert!(matches!(&other, ZamaJobsRegistryErrors::SignerNotConfirmer(e) if e.signer == expected), "{other:?}");

    // The confirmer's, for another domain: each recovers to an account that never signed.
    let statement = relay.statement();
    let elsewhere = [
        ("chain", statement.signing_hash(CHAIN_ID + 1, *relay.registry.address())),
        ("registry", statement.signing_hash(CHAIN_ID, CONFIRMER)),
        ("name", renamed("OtherJobs", "1", &relay)),
        ("version", renamed("ZamaJobs", "2", &relay)),
    ];
    for (what, digest) in elsewhere {
        let refused = relay.refused(signed(CONFIRMER_KEY, digest)).await;
        assert!(
            matches!(&refused, ZamaJobsRegistryErrors::SignerNotConfirmer(e) if e.signer != CONFIRMER),
            "another {what}: {refused:?}"
        );
    }

    let malleable = relay.refused(in_the_upper_half(&good)).await;
    assert!(matches!(malleable, ZamaJobsRegistryErrors::ECDSAInvalidSignatureS(_)), "{malleable:?}");
    let short = relay.refused(good.slice(..64)).await;
    assert!(matches!(short, ZamaJobsRegistryErrors::ECDSAInvalidSignatureLength(_)), "{short:?}");
    let nobody_s = relay.refused(vec![0; 65].into()).await;
    assert!(matches!(nobody_s, ZamaJobsRegistryErrors::ECDSAInvalidSignature(_)), "{nobody_s:?}");

    let late = Relay { deadline: 1, ..relay };
    let expired = late.refused(signed(CONFIRMER_KEY, late.digest())).await;
    assert!(matches!(&expired, ZamaJobsRegistryErrors::SignatureExpired(e) if e.deadline == U256::ONE), "{expired:?}");

    let relay = Relay { deadline: u64::from(u32::MAX), ..late };
    relay.call(good).send().await.unwrap().get_receipt().await.unwrap();
    found(&sender, &relay.batch, 0).await;
}

/// A signature is for one chain and one registry: where the confirmer confirms too, it is worth nothing.
#[tokio::test]
async fn a_signature_is_not_replayed_on_another_chain_or_registry() {
    let (here, there) = (Anvil::start(&[]), Anvil::start(&["--chain-id", "31338"]));
    let sender = here.sender().await;
    let address = sender.client().config().registry;
    let key = DEPLOYER_KEY;
    let on_the_other_chain = ensure_registry(&there.rpc_url, 31338, key, CONFIRMER, TIMEOUT).await.unwrap();
    assert_eq!(on_the_other_chain, address, "the same address: only the chain differs");
    let batch = || Batch::seal(&leaves(40..45)).unwrap();
    let deadline = u64::from(u32::MAX);
    let relay = Relay { registry: registry(&here, address), batch: batch(), deadline };
    let signature = signed(CONFIRMER_KEY, relay.digest());

    // Another registry on the same chain, with the same confirmer: its admin is anvil's account 2.
    let other_key = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
    let other = ensure_registry(&here.rpc_url, CHAIN_ID, other_key, CONFIRMER, TIMEOUT).await.unwrap();
    assert_ne!(other, address);
    for replay in [
        Relay { registry: registry(&there, address), batch: batch(), deadline },
        Relay { registry: registry(&here, other), batch: batch(), deadline },
    ] {
        let refused = replay.refused(signature.clone()).await;
        assert!(
            matches!(&refused, ZamaJobsRegistryErrors::SignerNotConfirmer(e) if e.signer != CONFIRMER),
            "{refused:?}"
        );
    }
    relay.call(signature.clone()).send().await.unwrap().get_receipt().await.unwrap();
    let again = refusal(relay.call(signature).call().await.unwrap_err());
    assert!(matches!(again, ZamaJobsRegistryErrors::RootAlreadyConfirmed(_)), "{again:?}");
}

/// The statement in a domain of another name or version.
fn renamed<P: Provider>(name: &'static str, version: &'static str, relay: &Relay<P>) -> B256 {
    let domain = eip712_domain! {
        name: name,
        version: version,
        chain_id: CHAIN_ID,
        verifying_contract: *relay.registry.address(),
    };
    let BatchStatement { root, entries_hash, deadline } = relay.statement();
    ConfirmBatch { root, entriesHash: entries_hash, deadline: U256::from(deadline) }.eip712_signing_hash(&domain)
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
