//! Deploying and confirming against a real anvil.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;

use std::time::Duration;

use alloy::primitives::{Address, B256, U256, b256};
use alloy::providers::{Provider, ProviderBuilder};
use anvil::{
    Anvil, CHAIN_ID, CONFIRMER, CONFIRMER_KEY, DEPLOYER_KEY, TIMEOUT, confirm, find, found, leaves, next_nonce,
};
use chain::{
    Admin, ChainClient, ChainConfig, ChainError, Endpoints, Node, Rejection, RevertReason, Signer, Standing,
    TransactionCount, ensure_key_manager, ensure_registry,
};
use contracts::ZamaJobsRegistry;
use contracts::ZamaJobsRegistry::ZamaJobsRegistryErrors;
use jobs::leaf::Index;
use jobs::merkle::{self, Batch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn deploying_twice_gives_one_registry() {
    let anvil = Anvil::start(&[]);
    let first = anvil.deploy().await;
    let blocks = client(&anvil, first).await.block_number().await.unwrap();
    assert_eq!(anvil.deploy().await, first);
    assert_eq!(client(&anvil, first).await.block_number().await.unwrap(), blocks, "the second call sent something");
}

#[tokio::test]
async fn pinning_the_key_manager_twice_sends_one_transaction() {
    let anvil = Anvil::start(&[]);
    let registry = anvil.deploy().await;
    let [signer, other] = [DEPLOYER_KEY, CONFIRMER_KEY].map(|key| Signer::private_key(key).unwrap());
    let admin = Admin { rpc_url: &anvil.rpc_url, chain_id: CHAIN_ID, signer: &signer, timeout: TIMEOUT };
    let stranger = Admin { signer: &other, ..admin };
    let refused = ensure_key_manager(stranger, registry, CONFIRMER).await.unwrap_err();
    assert!(matches!(registry_error(refused), ZamaJobsRegistryErrors::AccessControlUnauthorizedAccount(_)));

    let node = Node::new(&anvil.rpc_url, registry, TIMEOUT).unwrap();
    assert_eq!(node.key_manager(node.newest().await.unwrap()).await.unwrap(), None);
    ensure_key_manager(admin, registry, CONFIRMER).await.unwrap();
    let blocks = client(&anvil, registry).await.block_number().await.unwrap();
    ensure_key_manager(admin, registry, CONFIRMER).await.unwrap();
    assert_eq!(client(&anvil, registry).await.block_number().await.unwrap(), blocks, "the second call sent something");
    let provider = ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap());
    let pinned = ZamaJobsRegistry::new(registry, provider).keyManager().call().await.unwrap();
    assert_eq!(pinned, CONFIRMER);
    assert_eq!(node.key_manager(node.newest().await.unwrap()).await.unwrap(), Some(CONFIRMER));
}

#[tokio::test]
async fn a_second_confirmer_is_granted_the_role_on_the_same_registry() {
    let anvil = Anvil::start(&[]);
    let first = anvil.deploy().await;
    let other_key = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
    let other = anvil.sender_of(other_key).await;
    let batch = Batch::seal(&leaves(0..3)).unwrap();
    let refused = other.estimate(batch.root(), batch.entries()).await.unwrap_err();
    assert!(matches!(
        registry_error(refused),
        ZamaJobsRegistryErrors::AccessControlUnauthorizedAccount(error) if error.account == other.address()
    ));
    let second = ensure_registry(&anvil.rpc_url, CHAIN_ID, DEPLOYER_KEY, other.address(), TIMEOUT).await.unwrap();
    assert_eq!(second, first);
    confirm(&other, &batch).await;
}

#[tokio::test]
async fn connecting_checks_the_chain_and_the_code() {
    let anvil = Anvil::start(&[]);
    let registry = anvil.deploy().await;
    let mut config = anvil.config(registry);
    config.chain_id = 1;
    let wrong = ChainClient::connect(config).await.unwrap_err();
    assert!(matches!(wrong, ChainError::WrongChain { expected: 1, actual: CHAIN_ID }));
    // The deployment proxy has code too, but it is no registry.
    for address in [Address::ZERO, "0x4e59b44847b379578588920cA78FbF26c0B4956C".parse().unwrap()] {
        let wrong = ChainClient::connect(anvil.config(address)).await.unwrap_err();
        assert!(matches!(wrong, ChainError::NotARegistry(at) if at == address));
    }
}

#[tokio::test]
async fn a_confirmed_batch_is_found_by_its_root_and_refused_the_second_time() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let batch = Batch::seal(&leaves(250..262)).unwrap();
    assert_eq!(find(&sender, batch.root(), 0).await.unwrap(), None);

    let (signed, confirmed) = confirm(&sender, &batch).await;

    assert_eq!(confirmed.tx_hash, signed.hash);
    assert_eq!(confirmed.entries, batch.entries());
    assert_eq!(confirmed.depth, 1);
    assert!(!sender.client().is_deep_enough(&confirmed));
    let standing = async |number, hash| sender.client().standing(number, hash).await.unwrap();
    assert_eq!(standing(confirmed.block_number, confirmed.block_hash).await, Standing::Canonical);
    assert_eq!(standing(confirmed.block_number, B256::ZERO).await, Standing::Replaced);
    assert_eq!(standing(1_000_000, confirmed.block_hash).await, Standing::Unknown);
    assert!(sender.client().is_confirmed(Index::new(261)).await.unwrap());
    assert!(!sender.client().is_confirmed(Index::new(262)).await.unwrap());

    let receipt = provider(&anvil).get_transaction_receipt(signed.hash).await.unwrap().unwrap();
    let gas = sender.client().gas(&confirmed).await.unwrap();
    assert_eq!((gas.used, gas.price), (receipt.gas_used, receipt.effective_gas_price));
    let elsewhere = chain::Confirmed { block_hash: B256::ZERO, ..confirmed.clone() };
    assert!(sender.client().gas(&elsewhere).await.unwrap_err().is_retryable(), "it stands in another block");

    let again = sender.estimate(batch.root(), batch.entries()).await.unwrap_err();
    assert!(!again.is_retryable());
    assert!(again.to_string().contains("RootAlreadyConfirmed"), "{again}");
    assert!(matches!(registry_error(again), ZamaJobsRegistryErrors::RootAlreadyConfirmed(e) if e.root == batch.root()));

    let overlapping = Batch::seal(&leaves(255..400)).unwrap();
    let refused = sender.estimate(overlapping.root(), overlapping.entries()).await.unwrap_err();
    assert!(matches!(
        registry_error(refused),
        ZamaJobsRegistryErrors::IndexAlreadyConfirmed(e) if e.index == U256::from(255)
    ));
    // The bits are set, but not under this root.
    assert_eq!(find(&sender, overlapping.root(), 0).await.unwrap(), None);
}

#[tokio::test]
async fn depth_counts_the_event_s_own_block() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let batch = Batch::seal(&leaves(0..2)).unwrap();
    let (_, first) = confirm(&sender, &batch).await;
    confirm(&sender, &Batch::seal(&leaves(2..4)).unwrap()).await;
    let later = find(&sender, batch.root(), first.block_number).await.unwrap().unwrap();
    assert_eq!((later.depth, later.block_hash), (2, first.block_hash));
    assert!(sender.client().is_deep_enough(&later));
    let searched_too_late = find(&sender, batch.root(), first.block_number + 1).await.unwrap();
    assert_eq!(searched_too_late, None);
}

#[tokio::test]
async fn a_waiting_transaction_is_sent_again_harmlessly_and_replaced_with_bumped_fees() {
    let anvil = Anvil::start(&[]);
    let provider = provider(&anvil);
    let sender = anvil.sender().await;
    let _: serde_json::Value = provider.raw_request("evm_setAutomine".into(), (false,)).await.unwrap();

    let batch = Batch::seal(&leaves(0..5)).unwrap();
    let estimate = sender.estimate(batch.root(), batch.entries()).await.unwrap();
    let nonce = next_nonce(&sender).await;
    let first = sender.build_and_sign(batch.root(), batch.entries(), nonce, estimate).await.unwrap();
    sender.broadcast(&first.raw).await.unwrap();
    sender.broadcast(&first.raw).await.unwrap();
    let count = async |which| sender.client().transaction_count(CONFIRMER, which).await.unwrap();
    assert_eq!(count(TransactionCount::Latest).await, nonce);
    assert_eq!(count(TransactionCount::Pending).await, nonce + 1);
    let tried = sender.estimate(batch.root(), batch.entries()).await;
    assert!(tried.is_ok(), "what waits in the node's pool is not on chain: {tried:?}");

    let mut cheap = estimate;
    cheap.fees.max_fee_per_gas -= 1;
    let cheap = sender.build_and_sign(batch.root(), batch.entries(), nonce, cheap).await.unwrap();
    let refused = sender.broadcast(&cheap.raw).await.unwrap_err();
    assert!(matches!(refused, ChainError::Rejected { rejection: Rejection::Underpriced, .. }), "{refused}");

    let mut bumped = estimate;
    bumped.fees = estimate.fees.bumped(u128::MAX).unwrap();
    let second = sender.build_and_sign(batch.root(), batch.entries(), nonce, bumped).await.unwrap();
    sender.broadcast(&second.raw).await.unwrap();
    let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
    assert_eq!(found(&sender, &batch, 0).await.tx_hash, second.hash);

    let late = sender.broadcast(&first.raw).await.unwrap_err();
    assert!(matches!(late, ChainError::Rejected { rejection: Rejection::NonceTooLow, .. }), "{late}");
}

#[tokio::test]
async fn an_absent_node_is_unavailable_and_nothing_else() {
    let mut anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    anvil.stop();
    let batch = Batch::seal(&leaves(0..5)).unwrap();
    let errors = [
        sender.estimate(batch.root(), batch.entries()).await.map(drop).unwrap_err(),
        sender.client().block_number().await.map(drop).unwrap_err(),
        sender.client().is_confirmed(Index::new(0)).await.map(drop).unwrap_err(),
        find(&sender, batch.root(), 0).await.map(drop).unwrap_err(),
        sender.broadcast(&[1, 2, 3]).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_retryable(), "{error}");
    }
}

/// A load balancer's error page, a half-dead node, something that is no node at all.
#[tokio::test]
async fn an_answer_that_is_no_answer_is_unavailable() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":null}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
        "",
    ];
    for answer in answers {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rpc_url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let nodes = Endpoints::parse(&rpc_url, Duration::from_secs(2)).unwrap();
        let config = ChainConfig { nodes, ..anvil::config(&rpc_url, Address::ZERO) };
        let error = ChainClient::connect(config).await.unwrap_err();
        assert!(error.is_retryable(), "{answer:?}: {error}");
        server.abort();
    }
}

#[tokio::test]
async fn a_node_that_never_answers_is_unavailable_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rpc_url = format!("http://{}", listener.local_addr().unwrap());
    let nodes = Endpoints::parse(&rpc_url, Duration::from_millis(200)).unwrap();
    let config = ChainConfig { nodes, ..anvil::config(&rpc_url, Address::ZERO) };
    let connect = ChainClient::connect(config);
    let error = tokio::time::timeout(Duration::from_secs(5), connect).await.unwrap().unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

/// The Rust tree and the Solidity verifier are written apart from each other.
#[tokio::test]
async fn the_registry_agrees_with_our_proofs_and_hashes() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let mut next = 0;
    for size in [1_u64, 2, 3, 4, 5, 8, 31, 33] {
        // Every second index, so that entries have holes and words change.
        let leaves = leaves((0..size).map(|i| next + 2 * i));
        next += 2 * size + 200;
        let batch = Batch::seal(&leaves).unwrap();
        confirm(&sender, &batch).await;
        let contract = contracts::ZamaJobsRegistry::new(sender.client().config().registry, provider(&anvil));
        assert_eq!(
            contract.batchEntriesHash(batch.root()).call().await.unwrap(),
            merkle::entries_hash(batch.entries())
        );
        for (position, leaf) in leaves.iter().enumerate() {
            let inclusion = batch.inclusion(position).unwrap();
            assert_eq!(contract.hashLeaf(leaf.into()).call().await.unwrap(), leaf.hash());
            assert!(sender.client().verify_inclusion(leaf, &inclusion).await.unwrap(), "leaf {position} of {size}");
            let mut forged = leaf.clone();
            forged.result_hash = b256!("00000000000000000000000000000000000000000000000000000000000000ff");
            assert!(!sender.client().verify_inclusion(&forged, &inclusion).await.unwrap());
        }
    }
}

#[tokio::test]
async fn gas_a_job_keeps_its_bounds() {
    let anvil = Anvil::start(&[]);
    let sender = anvil.sender().await;
    let provider = provider(&anvil);
    let mut next = 0;
    for (size, batches, bound) in [(100, 8, 700), (1_000, 3, 170)] {
        let mut gas = 0;
        for _ in 0..batches {
            let batch = Batch::seal(&leaves(next..next + size)).unwrap();
            next += size;
            let (signed, _) = confirm(&sender, &batch).await;
            gas += provider.get_transaction_receipt(signed.hash).await.unwrap().unwrap().gas_used;
        }
        let per_job = gas / (size * batches);
        println!("{per_job} gas a job in batches of {size}");
        assert!(per_job <= bound, "{per_job} gas a job in batches of {size}");
    }
}

#[test]
fn a_bad_key_is_refused_without_being_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime
        .block_on(ensure_registry("http://127.0.0.1:1", CHAIN_ID, "0x1234secret", CONFIRMER, TIMEOUT))
        .unwrap_err();
    assert!(!error.to_string().contains("secret"));
    assert_ne!(CONFIRMER_KEY, DEPLOYER_KEY);
}

async fn client(anvil: &Anvil, registry: Address) -> ChainClient {
    ChainClient::connect(anvil.config(registry)).await.unwrap()
}

fn provider(anvil: &Anvil) -> impl Provider + Clone + use<> {
    ProviderBuilder::new().connect_http(anvil.rpc_url.parse().unwrap())
}

fn registry_error(error: ChainError) -> ZamaJobsRegistryErrors {
    match error {
        ChainError::Reverted(RevertReason::Registry(error)) => *error,
        other => panic!("not an error of the registry: {other}"),
    }
}
