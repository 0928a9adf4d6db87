//! A JSON-RPC provider with time limits, checked to serve the chain that is meant.

use std::time::Duration;

use alloy::providers::{Provider, ProviderBuilder, RootProvider};
use alloy::transports::http::reqwest;

use crate::{ChainError, Endpoints, redaction};

/// Connects to `rpc_url`; every request ends within `timeout`.
///
/// No filler is added: gas, fees and nonce are chosen by our own steps.
pub(crate) fn provider(rpc_url: &str, timeout: Duration) -> Result<RootProvider, ChainError> {
    let url = endpoint(rpc_url)?;
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
        .map_err(|error| ChainError::Configuration(format!("cannot make an HTTP client: {error}")))?;
    Ok(ProviderBuilder::default().connect_reqwest(client, url))
}

/// A node's name in logs: host and port, since the rest of its address is often a key.
pub(crate) fn name(rpc_url: &str) -> Result<String, ChainError> {
    let url = endpoint(rpc_url)?;
    let host = url.host_str().unwrap_or_default();
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Connects to the first healthy node of a list, separated by commas, that serves the chain.
pub(crate) async fn connect(rpc_urls: &str, chain_id: u64, timeout: Duration) -> Result<RootProvider, ChainError> {
    let endpoints = Endpoints::parse(rpc_urls, timeout)?;
    Ok(endpoints.connect(chain_id, None).await?.provider)
}

/// Refuses what cannot be the address of a node; asks nothing.
///
/// # Errors
/// [`ChainError::Configuration`].
pub fn check_rpc_url(rpc_url: &str) -> Result<(), ChainError> {
    endpoint(rpc_url).map(drop)
}

fn endpoint(rpc_url: &str) -> Result<reqwest::Url, ChainError> {
    let origin = redaction::origin(rpc_url);
    let wrong = |fault: &str| ChainError::Configuration(format!("{origin:?} is not a URL of an EVM node: {fault}"));
    let url: reqwest::Url = rpc_url.parse().map_err(|error| wrong(&format!("{error}")))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => {
            redaction::remember(&url);
            Ok(url)
        }
        _ => Err(wrong("it must begin with http:// or https://")),
    }
}

/// Refuses a node that serves another chain than `expected`.
pub(crate) async fn require_chain(provider: &RootProvider, expected: u64) -> Result<(), ChainError> {
    let actual = provider.get_chain_id().await?;
    if actual == expected { Ok(()) } else { Err(ChainError::WrongChain { expected, actual }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_http_servers_are_taken() {
        for good in ["http://127.0.0.1:8545", "https://node.example/v3/key"] {
            assert!(check_rpc_url(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost:8545", "127.0.0.1:8545", "ws://node.example", "http://", "http://node:99999", "/rpc"]
        {
            let Err(ChainError::Configuration(text)) = check_rpc_url(bad) else { panic!("{bad} was taken") };
            assert!(text.contains("is not a URL of an EVM node"), "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_told_without_its_key() {
        for bad in
            ["ws://node.example/v3/key", "http://node.example:99999/key", "wss://me:key@node.example", "node/key"]
        {
            let refused = check_rpc_url(bad).unwrap_err().to_string();
            assert!(!refused.contains("key"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_node_that_cannot_be_reached_is_told_without_its_key() {
        // Bound and dropped: a port on which nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/v3/0123456789abcdef?token=fedcba");
        let node = provider(&url, Duration::from_secs(5)).unwrap();
        let error = require_chain(&node, 1).await.unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("refused"), "{error}");
        assert!(!error.contains("0123456789abcdef") && !error.contains("fedcba"), "{error}");
    }
}
