//! A JSON-RPC provider with time limits, checked to serve the chain that is meant.

use std::time::Duration;

use alloy::providers::{Provider, ProviderBuilder, RootProvider};
use alloy::transports::http::reqwest;

use crate::ChainError;

/// Connects to `rpc_url`; every request ends within `timeout`.
///
/// No filler is added: gas, fees and nonce are chosen by our own steps.
pub(crate) fn provider(rpc_url: &str, timeout: Duration) -> Result<RootProvider, ChainError> {
    let url = rpc_url
        .parse()
        .map_err(|error| ChainError::Configuration(format!("{rpc_url:?} is not a URL of an EVM node: {error}")))?;
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
        .map_err(|error| ChainError::Configuration(format!("cannot make an HTTP client: {error}")))?;
    Ok(ProviderBuilder::default().connect_reqwest(client, url))
}

/// Refuses a node that serves another chain than `expected`.
pub(crate) async fn require_chain(provider: &RootProvider, expected: u64) -> Result<(), ChainError> {
    let actual = provider.get_chain_id().await?;
    if actual == expected { Ok(()) } else { Err(ChainError::WrongChain { expected, actual }) }
}
