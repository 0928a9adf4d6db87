//! Several nodes, some of them faulty; and a signing server that keeps the key.
#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach their helper functions.

mod anvil;
mod faulty;

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, address};
use alloy::providers::{Provider, ProviderBuilder};
use anvil::{Anvil, CHAIN_ID, CONFIRMER, TIMEOUT, config, confirm, leaves};
use chain::{ChainClient, ChainConfig, ChainError, Endpoints, Sender, Signer, SigningServer};
use faulty::{FaultyNode, Manner};
use jobs::merkle::Batch;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// anvil's account 2: unlocked there too, and no confirmer.
const OTHER: Address = address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");

/// A server that takes connections and answers each question with this, or never.
async fn answering(answer: Option<&'static str>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(answer) = answer else {
                silent.push(stream);
                continue;
            };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

fn impatient(urls: &[&str], registry: Address) -> ChainConfig {
    let nodes = Endpoints::parse(&urls.join(","), Duration::from_secs(2)).unwrap();
    ChainConfig { nodes, ..config(urls[0], registry) }
}

#[tokio::test]
async fn the_first_healthy_node_is_used() {
    let anvil = Anvil::start(&[]);
    let registry = anvil.deploy().await;
    let other_chain = Anvil::start(&["--chain-id", "5"]);
    let without_registry = Anvil::start(&[]);
    let hanging = answering(None).await;
    let page = answering(Some("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")).await;
    let rubbish =
        "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":\"0xrubbish\"}";
    let rubbish = answering(Some(rubbish)).await;
    let nobody = "http://127.0.0.1:1";
    let faulty = [&other_chain.rpc_url, &without_registry.rpc_url, &hanging, &page, &rubbish, nobody];
    for one in faulty {
        let client = ChainClient::connect(impatient(&[one, &anvil.rpc_url], registry)).await.unwrap();
        assert!(client.block_number().await.unwrap() > 0, "{one}");
    }
    let all = [faulty.as_slice(), &[anvil.rpc_url.as_str()]].concat();
    ChainClient::connect(impatient(&all, registry)).await.unwrap();
    let refused = ChainClient::connect(impatient(&faulty, registry)).await.unwrap_err();
    assert!(matches!(refused, ChainError::WrongChain { actual: 5, .. }), "the first one's fault is told: {refused}");
}

#[tokio::test]
async fn a_node_that_falls_behind_or_fails_is_left_for_another() {
    let (behind, ahead) = (Anvil::start(&[]), Anvil::start(&[]));
    let registry = behind.deploy().await;
    assert_eq!(ahead.deploy().await, registry);
    let config = config(&format!("{},{}", behind.rpc_url, ahead.rpc_url), registry);
    let client = ChainClient::connect(config.clone()).await.unwrap();
    let before = client.block_number().await.unwrap();
    let provider = ProviderBuilder::new().connect_http(ahead.rpc_url.parse().unwrap());
    let _: serde_json::Value = provider.raw_request("anvil_mine".into(), ("0x20",)).await.unwrap();

    client.ask_other_nodes();
    let refused = loop {
        match client.block_number().await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => break error,
        }
    };
    assert!(refused.is_retryable() && refused.to_string().contains("behind"), "{refused}");
    client.leave_node(&refused);
    let client = ChainClient::connect(config.clone()).await.unwrap();
    assert_eq!(client.block_number().await.unwrap(), before + 0x20);

    // Left, because it failed; the one that is behind is better than none.
    client.leave_node(&ChainError::Unavailable("test".to_owned()));
    drop(ahead);
    let client = ChainClient::connect(config).await.unwrap();
    assert_eq!(client.finalized_block().await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_node_that_boasts_of_blocks_draws_nobody_away_and_is_not_believed() {
    let anvil = Anvil::start(&[]);
    let registry = anvil.deploy().await;
    let boaster = FaultyNode::before(&anvil.rpc_url).await;
    boaster.answers("eth_blockNumber", Manner::Result(json!("0x3b9aca00")));

    let client = ChainClient::connect(impatient(&[&anvil.rpc_url, &boaster.url], registry)).await.unwrap();
    client.ask_other_nodes();
    let is_asked_to_show_it = async {
        while boaster.asked("eth_getBlockByNumber") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, is_asked_to_show_it).await.expect("what it boasts of is believed");
    for _ in 0..20 {
        assert!(client.block_number().await.unwrap() < 1_000);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let client = ChainClient::connect(impatient(&[&boaster.url, &anvil.rpc_url], registry)).await.unwrap();
    assert!(client.block_number().await.unwrap() < 1_000, "the honest one is used");
    let refused = ChainClient::connect(impatient(&[&boaster.url], registry)).await.unwrap_err();
    assert!(refused.to_string().contains("does not have it"), "{refused}");
}

#[tokio::test]
async fn a_node_that_answers_with_an_error_is_left_for_another() {
    let anvil = Anvil::start(&[]);
    let registry = anvil.deploy().await;
    let faulty = FaultyNode::before(&anvil.rpc_url).await;
    let config = impatient(&[&faulty.url, &anvil.rpc_url], registry);
    let batch = Batch::seal(&leaves(0..3)).unwrap();
    let signer = Signer::private_key(anvil::CONFIRMER_KEY).unwrap();
    for (method, message) in [("eth_getLogs", "missing trie node"), ("eth_estimateGas", "header not found")] {
        faulty.answers(method, Manner::Error(-32000, message));
        let client = ChainClient::connect(config.clone()).await.unwrap();
        let sender = Sender::new(client, signer.clone());
        let worked = async |sender: &Sender| {
            anvil::find(sender, batch.root(), 0).await?;
            sender.estimate(batch.root(), batch.entries()).await
        };
        let refused = worked(&sender).await.unwrap_err();
        assert!(refused.is_perhaps_the_nodes() && refused.to_string().contains(message), "{refused}");
        assert!(sender.client().has_other_nodes());
        sender.client().leave_node(&refused);
        let asked = faulty.asked(method);
        let sender = Sender::new(ChainClient::connect(config.clone()).await.unwrap(), signer.clone());
        worked(&sender).await.unwrap();
        assert_eq!(faulty.asked(method), asked, "it is left alone");
        faulty.answers_truly(method);
        // The honest one goes: the other is used again.
        sender.client().leave_node(&ChainError::Unavailable("test".to_owned()));
    }
}

#[tokio::test]
async fn a_signing_server_that_is_silent_costs_one_time_out_and_no_node() {
    let anvil = Anvil::start(&[]);
    let client = ChainClient::connect(anvil.config(anvil.deploy().await)).await.unwrap();
    let server = FaultyNode::before(&anvil.rpc_url).await;
    let fees = Sender::new(client.clone(), Signer::private_key(anvil::CONFIRMER_KEY).unwrap());
    let fees = fees.market().await.unwrap().fees();
    let through = || SigningServer::new(&server.url, CONFIRMER, Duration::from_millis(300)).unwrap();
    server.answers("eth_signTransaction", Manner::Silence);
    let sender = Sender::new(client.clone(), Signer::remote(Arc::new(through())));
    for _ in 0..3 {
        let away = sender.sign_filler(0, fees).await.unwrap_err();
        assert!(matches!(away, ChainError::SignerUnavailable(_)) && !away.is_perhaps_the_nodes(), "{away}");
    }
    assert_eq!(server.asked("eth_signTransaction"), 1, "it is left alone for a while");

    server.answers("eth_signTransaction", Manner::Error(-32000, "policy forbids it"));
    let sender = Sender::new(client, Signer::remote(Arc::new(through())));
    let refused = sender.sign_filler(0, fees).await.unwrap_err();
    assert!(matches!(&refused, ChainError::SignerRefused(why) if why == "policy forbids it"), "{refused}");
}

#[tokio::test]
async fn signing_servers_read_and_answer_in_forms_of_their_own() {
    let anvil = Anvil::start(&[]);
    let client = ChainClient::connect(anvil.config(anvil.deploy().await)).await.unwrap();
    let server = FaultyNode::before(&anvil.rpc_url).await;
    let through = SigningServer::new(&server.url, CONFIRMER, TIMEOUT).unwrap();
    let sender = Sender::new(client, Signer::remote(Arc::new(through)));
    for (manner, jobs) in [(Manner::ReadsData, 0..3), (Manner::InTwoForms, 3..6)] {
        server.answers("eth_signTransaction", manner);
        let batch = Batch::seal(&leaves(jobs)).unwrap();
        let (signed, confirmed) = confirm(&sender, &batch).await;
        assert_eq!(confirmed.tx_hash, signed.hash);
    }
}

#[tokio::test]
async fn a_signing_server_keeps_the_key() {
    let anvil = Anvil::start(&[]);
    let client = ChainClient::connect(anvil.config(anvil.deploy().await)).await.unwrap();
    let through = |address| Signer::remote(Arc::new(SigningServer::new(&anvil.rpc_url, address, TIMEOUT).unwrap()));
    let sender = Sender::new(client.clone(), through(CONFIRMER));
    let batch = Batch::seal(&leaves(0..3)).unwrap();
    let (signed, confirmed) = confirm(&sender, &batch).await;
    assert_eq!((signed.sender, confirmed.tx_hash), (CONFIRMER, signed.hash));

    let estimate = sender.market().await.unwrap().fees();
    let filler = Sender::new(client.clone(), through(OTHER)).sign_filler(0, estimate).await.unwrap();
    assert_eq!(filler.sender, OTHER);
    let stranger = Sender::new(client.clone(), through(Address::repeat_byte(1)));
    assert!(stranger.sign_filler(0, estimate).await.is_err(), "it does not have that key");
    let away = SigningServer::new("http://127.0.0.1:1", CONFIRMER, TIMEOUT).unwrap();
    let away = Sender::new(client, Signer::remote(Arc::new(away)));
    assert!(away.sign_filler(0, estimate).await.unwrap_err().is_retryable());
    assert_eq!(CHAIN_ID, 31337);
}
