//! Verifying receipts: a true one passes, a change of any field fails, garbage never panics.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::providers::{Provider, ProviderBuilder};
use anvil::{Anvil, CHAIN_ID, SALT, confirm, content_hash, leaves};
use chain::verify::{Outcome, Report, Source, Verdict, verify_receipt};
use jobs::leaf::{Handle, Index, Leaf, LeafStatus};
use jobs::merkle::{Batch, Entry};
use jobs::receipt::{Anchor, Lineage, Receipt};
use proptest::prelude::*;

/// A forgery of one field.
type Change = Box<dyn Fn(&mut Receipt)>;

async fn issued(anvil: &Anvil) -> Receipt {
    let sender = anvil.sender().await;
    let leaves = leaves(200..211);
    let batch = Batch::seal(&leaves).unwrap();
    let (_, confirmed) = confirm(&sender, &batch).await;
    let anchor = Anchor {
        chain_id: CHAIN_ID,
        registry: sender.client().config().registry,
        tx_hash: confirmed.tx_hash,
        block_number: confirmed.block_number,
        block_hash: confirmed.block_hash,
    };
    Receipt::of_plain_job(leaves[4].clone(), SALT, content_hash(204), batch.inclusion(4).unwrap(), anchor)
}

fn rpc(anvil: &Anvil) -> Source {
    Source::Rpc { url: anvil.rpc_url.clone(), registry: None }
}

/// Against this root, without a network.
fn root(root: B256) -> Source {
    Source::Root { root, registry: None }
}

fn named(report: &Report, outcome: Outcome) -> Vec<&'static str> {
    report.with(outcome).map(|check| check.name).collect()
}

fn failed(report: &Report) -> Vec<&'static str> {
    named(report, Outcome::Failed)
}

/// A place that no chain of these tests has.
fn somewhere() -> Anchor {
    Anchor {
        chain_id: CHAIN_ID,
        registry: Address::repeat_byte(5),
        tx_hash: B256::repeat_byte(6),
        block_number: 7,
        block_hash: B256::repeat_byte(8),
    }
}

#[tokio::test]
async fn a_true_receipt_passes_every_check() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    let report = verify_receipt(&receipt, &rpc(&anvil)).await;
    assert!(report.passed(), "{report:#?}");
    let names: Vec<_> = report.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "document",
            "leaf",
            "leaf_hash",
            "status",
            "content",
            "inclusion",
            "expected_registry",
            "chain_id",
            "registry",
            "event",
            "canonical",
            "finality",
            "bit",
            "verdict"
        ]
    );
    assert_eq!(named(&report, Outcome::NotChecked), ["expected_registry"], "nobody named one");
    assert!(report.believes_the_registry());
    let pinned = Source::Rpc { url: anvil.rpc_url.clone(), registry: Some(receipt.registry) };
    let report = verify_receipt(&receipt, &pinned).await;
    assert!(report.passed() && !report.believes_the_registry(), "{report:#?}");
    assert!(verify_receipt(&receipt, &root(receipt.root)).await.passed());
}

#[tokio::test]
async fn an_encrypted_job_s_receipt_leads_to_its_handle() {
    let lineage = Lineage {
        inputs: B256::repeat_byte(1),
        program: B256::repeat_byte(2),
        key: B256::repeat_byte(3),
        attestation: Bytes::from(vec![4; 65]),
    };
    let mut leaf = leaves(301..302).remove(0);
    leaf.handle = Handle {
        inputs: lineage.inputs,
        program: lineage.program,
        key: lineage.key,
        result: leaf.result_hash,
        attestation: keccak256(&lineage.attestation),
    }
    .commitment();
    let batch = Batch::seal(std::slice::from_ref(&leaf)).unwrap();
    let receipt = Receipt::of_encrypted_job(leaf, SALT, lineage, batch.inclusion(0).unwrap(), somewhere());
    let root = root(receipt.root);
    assert!(verify_receipt(&receipt, &root).await.passed());
    let changes: [Change; 5] = [
        Box::new(|receipt| receipt.input_hash = Some(B256::ZERO)),
        Box::new(|receipt| receipt.program_hash = None),
        Box::new(|receipt| receipt.key_hash = Some(B256::ZERO)),
        Box::new(|receipt| receipt.attestation = Some(Bytes::from(vec![5; 65]))),
        Box::new(|receipt| receipt.attestation = None),
    ];
    for change in changes {
        let mut forged = receipt.clone();
        change(&mut forged);
        assert_eq!(failed(&verify_receipt(&forged, &root).await), ["handle"]);
    }
}

#[tokio::test]
async fn a_block_is_final_only_when_the_chain_says_so() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    let report = verify_receipt(&receipt, &rpc(&anvil)).await;
    assert_eq!((report.finalized(), named(&report, Outcome::Pending)), (Some(false), vec!["finality"]));
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let _: serde_json::Value = provider.raw_request("anvil_mine".into(), (200,)).await.unwrap();
    let report = verify_receipt(&receipt, &rpc(&anvil)).await;
    assert_eq!((report.finalized(), report.verdict()), (Some(true), Verdict::Verifies), "{report:#?}");
    let offline = verify_receipt(&receipt, &root(receipt.root)).await;
    assert_eq!(offline.finalized(), None, "nobody was asked");
}

#[tokio::test]
async fn a_leaf_s_status_and_its_result_agree() {
    for (index, forge) in [
        (301, Box::new(|leaf: &mut Leaf| leaf.status = LeafStatus::Failed) as Box<dyn Fn(&mut Leaf)>),
        (301, Box::new(|leaf: &mut Leaf| leaf.result_hash = B256::ZERO)),
        (300, Box::new(|leaf: &mut Leaf| leaf.status = LeafStatus::Completed)),
        (300, Box::new(|leaf: &mut Leaf| leaf.result_hash = B256::repeat_byte(1))),
    ] {
        let mut leaf = leaves(index..index + 1).remove(0);
        let receipt = |leaf: &Leaf| {
            let inclusion = Batch::seal(std::slice::from_ref(leaf)).unwrap().inclusion(0).unwrap();
            Receipt::of_plain_job(leaf.clone(), SALT, content_hash(index), inclusion, somewhere())
        };
        let honest = receipt(&leaf);
        assert!(verify_receipt(&honest, &root(honest.root)).await.passed(), "a failed job's receipt verifies too");
        forge(&mut leaf);
        let forged = receipt(&leaf);
        assert_eq!(failed(&verify_receipt(&forged, &root(forged.root)).await), ["status"]);
    }
}

#[tokio::test]
async fn a_change_of_any_field_fails() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    let flip = |hash: &mut B256| hash[31] ^= 1;
    let changes: Vec<(&str, Change)> = vec![
        ("version", Box::new(|r| r.version = 2)),
        ("schema", Box::new(|r| r.schema.push('x'))),
        ("leaf.index", Box::new(|r| r.leaf.index = Index::new(205))),
        ("leaf.job_id", Box::new(|r| r.leaf.job_id[0] ^= 1)),
        ("leaf.submitter", Box::new(|r| r.leaf.submitter = Address::ZERO)),
        ("leaf.result_hash", Box::new(move |r| flip(&mut r.leaf.result_hash))),
        (
            "leaf.status",
            Box::new(|r| {
                r.leaf.status = match r.leaf.status {
                    LeafStatus::Completed => LeafStatus::Failed,
                    LeafStatus::Failed => LeafStatus::Completed,
                }
            }),
        ),
        ("leaf.content_hash", Box::new(move |r| flip(&mut r.leaf.content_hash))),
        ("leaf.handle", Box::new(move |r| flip(&mut r.leaf.handle))),
        ("leaf_abi", Box::new(|r| r.leaf_abi = Bytes::new())),
        ("leaf_hash", Box::new(move |r| flip(&mut r.leaf_hash))),
        ("salt", Box::new(move |r| flip(&mut r.salt))),
        ("proof", Box::new(move |r| flip(&mut r.proof[2]))),
        ("proof, longer", Box::new(|r| r.proof.push(B256::ZERO))),
        ("proof, empty", Box::new(|r| r.proof.clear())),
        ("entries", Box::new(|r| r.entries[0].mask |= U256::ONE << 255)),
        ("entries, empty", Box::new(|r| r.entries.clear())),
        ("root", Box::new(move |r| flip(&mut r.root))),
        ("chain_id", Box::new(|r| r.chain_id = 1)),
        ("registry", Box::new(|r| r.registry = Address::repeat_byte(1))),
        ("tx_hash", Box::new(move |r| flip(&mut r.tx_hash))),
        ("block_number", Box::new(|r| r.block_number -= 1)),
        ("block_number, huge", Box::new(|r| r.block_number = u64::MAX)),
        ("block_hash", Box::new(move |r| flip(&mut r.block_hash))),
        ("input_hash", Box::new(|r| r.input_hash = Some(B256::ZERO))),
        ("input_hash, absent", Box::new(|r| r.input_hash = None)),
        ("program_hash", Box::new(|r| r.program_hash = Some(B256::ZERO))),
        ("key_hash", Box::new(|r| r.key_hash = Some(B256::ZERO))),
        ("attestation", Box::new(|r| r.attestation = Some(Bytes::new()))),
    ];
    for (field, change) in changes {
        let mut forged = receipt.clone();
        change(&mut forged);
        let report = verify_receipt(&forged, &rpc(&anvil)).await;
        assert!(!report.passed(), "a changed {field} was not noticed");
        assert!(report.checks.iter().all(|check| !check.explanation.is_empty()), "{report:#?}");
    }
}

#[tokio::test]
async fn a_receipt_is_held_against_the_root_and_registry_that_are_trusted() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    assert_eq!(failed(&verify_receipt(&receipt, &root(B256::repeat_byte(1))).await), ["root"]);
    let other = Source::Rpc { url: anvil.rpc_url.clone(), registry: Some(Address::ZERO) };
    assert_eq!(failed(&verify_receipt(&receipt, &other).await), ["expected_registry"]);
    let offline = |registry| Source::Root { root: receipt.root, registry: Some(registry) };
    assert!(verify_receipt(&receipt, &offline(receipt.registry)).await.passed());
    assert_eq!(failed(&verify_receipt(&receipt, &offline(Address::ZERO)).await), ["expected_registry"]);
}

#[tokio::test]
async fn without_a_network_the_report_names_what_only_the_chain_knows() {
    let leaves = leaves(1..3);
    let inclusion = Batch::seal(&leaves).unwrap().inclusion(0).unwrap();
    let receipt = Receipt::of_plain_job(leaves[0].clone(), SALT, content_hash(1), inclusion, somewhere());
    let report = verify_receipt(&receipt, &root(receipt.root)).await;
    assert_eq!(report.verdict(), Verdict::Verifies);
    let unchecked = ["chain_id", "registry", "transaction", "block", "finality"];
    assert_eq!(named(&report, Outcome::NotChecked), unchecked);
    let said = |name: &str, words: &str| {
        let check = report.checks.iter().find(|check| check.name == name).unwrap();
        assert!(check.explanation.contains(words), "{check:?}");
    };
    said("chain_id", &CHAIN_ID.to_string());
    said("registry", &receipt.registry.to_string());
    said("transaction", &receipt.tx_hash.to_string());
    said("block", &receipt.block_hash.to_string());
}

/// A whole batch that the registry never saw, consistent in itself.
#[tokio::test]
async fn a_forged_batch_fails_on_chain_only() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    let leaves = leaves(900..904);
    let anchor = Anchor {
        chain_id: CHAIN_ID,
        registry: receipt.registry,
        tx_hash: receipt.tx_hash,
        block_number: receipt.block_number,
        block_hash: receipt.block_hash,
    };
    let inclusion = Batch::seal(&leaves).unwrap().inclusion(1).unwrap();
    let forged = Receipt::of_plain_job(leaves[1].clone(), SALT, content_hash(901), inclusion, anchor);
    assert_eq!(failed(&verify_receipt(&forged, &rpc(&anvil)).await), ["event", "bit", "verdict"]);
}

#[tokio::test]
async fn a_receipt_of_a_block_that_was_reorganised_away_fails() {
    let anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let nothing: [u8; 0] = [];
    let _: serde_json::Value = provider.raw_request("anvil_reorg".into(), (1, nothing)).await.unwrap();
    let report = verify_receipt(&receipt, &rpc(&anvil)).await;
    assert!(failed(&report).contains(&"canonical"), "{report:#?}");
}

#[tokio::test]
async fn an_absent_node_leaves_the_question_open() {
    let mut anvil = Anvil::start(&[]);
    let receipt = issued(&anvil).await;
    anvil.stop();
    let report = verify_receipt(&receipt, &rpc(&anvil)).await;
    assert_eq!(report.verdict(), Verdict::Unknown, "{report:#?}");
    assert_eq!((failed(&report).len(), named(&report, Outcome::Unanswered)), (0, vec!["chain_id"]));
    let explanation = &report.checks.last().unwrap().explanation;
    assert!(explanation.contains("could not be checked") && explanation.contains("unavailable"), "{explanation}");

    let mut forged = receipt.clone();
    forged.salt[0] ^= 1;
    let report = verify_receipt(&forged, &rpc(&anvil)).await;
    assert_eq!(report.verdict(), Verdict::DoesNotVerify, "what fails by itself fails without a node too");
}

fn hash() -> impl Strategy<Value = B256> {
    prop_oneof![Just(B256::ZERO), any::<[u8; 32]>().prop_map(B256::from)]
}

fn any_receipt() -> impl Strategy<Value = Receipt> {
    let entry = (any::<u64>(), hash()).prop_map(|(word, mask)| Entry { word, mask: mask.into() });
    let chain = (hash(), hash(), hash(), hash(), any::<u64>(), any::<u32>(), ".{0,9}");
    let lists = (
        prop::collection::vec(hash(), 0..90),
        prop::collection::vec(entry, 0..9),
        prop::collection::vec(any::<u8>(), 0..300),
        prop::option::of(hash()),
    );
    (chain, lists).prop_map(|((a, b, c, d, number, version, text), (proof, entries, bytes, optional))| Receipt {
        version,
        schema: text.clone(),
        leaf: Leaf {
            index: Index::new(number),
            job_id: a,
            submitter: Address::from_word(b),
            result_hash: c,
            status: LeafStatus::Completed,
            content_hash: d,
            handle: a,
        },
        leaf_abi: bytes.into(),
        leaf_hash: b,
        salt: c,
        proof,
        entries,
        root: d,
        chain_id: number,
        registry: Address::from_word(a),
        tx_hash: b,
        block_number: number,
        block_hash: c,
        input_hash: optional,
        program_hash: optional,
        key_hash: optional,
        attestation: optional.map(|hash| hash.to_vec().into()),
        software: text,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_fails_without_panic(receipt in any_receipt(), root in hash()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let given = Source::Root { root, registry: None };
        prop_assert!(!runtime.block_on(verify_receipt(&receipt, &given)).passed());
        let nowhere = Source::Rpc { url: "http://127.0.0.1:1".into(), registry: None };
        prop_assert!(!runtime.block_on(verify_receipt(&receipt, &nowhere)).passed());
        let json = serde_json::to_string(&receipt).unwrap();
        prop_assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
    }
}
