//! A JSON-RPC provider with time limits, checked to serve the chain that is meant.

use std::time::Duration;

use alloy::providers::{Provider, ProviderBuilder, RootProvider};
use alloy::transports::http::reqwest;

use crate::{ChainError, Endpoints};

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
    let wrong = |fault: &str| ChainError::Configuration(format!("{rpc_url:?} is not a URL of an EVM node: {fault}"));
    let url: reqwest::Url = rpc_url.parse().map_err(|error| wrong(&format!("{error}")))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
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
}
