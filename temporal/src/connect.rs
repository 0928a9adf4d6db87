//! Connecting: the SDK's own connect fails at once when the server is away, so waiting is our part.

use std::time::Duration;

use anyhow::{Context, Result};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, Url};
use temporalio_common::data_converters::{DataConverter, DefaultFailureConverter, PayloadConverter};

use crate::codec::{EncryptingCodec, KeyRing};

/// Longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which server, which namespace, which keys.
#[derive(Clone, Debug)]
pub struct Target {
    /// host:port of the frontend.
    pub address: String,
    pub namespace: String,
    /// Who calls, as the UI shows it.
    pub identity: String,
    pub keys: KeyRing,
}

/// JSON, encrypted. Failure messages and stack traces are payloads too: they may quote inputs.
#[must_use]
pub fn data_converter(keys: KeyRing) -> DataConverter {
    DataConverter::new(PayloadConverter::default(), DefaultFailureConverter::new(true), EncryptingCodec::new(keys))
}

/// Connects once.
///
/// # Errors
/// The server is away or does not answer like a Temporal server.
pub async fn connect(target: &Target) -> Result<Client> {
    let url = format!("http://{}", target.address);
    let url: Url = url.parse().with_context(|| format!("{} is not host:port of a Temporal server", target.address))?;
    let options = ConnectionOptions::new(url)
        .identity(target.identity.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_load_balancing(None)
        .build();
    let connection = Connection::connect(options)
        .await
        .with_context(|| format!("Failed to connect to Temporal at {}", target.address))?;
    let options =
        ClientOptions::new(target.namespace.clone()).data_converter(data_converter(target.keys.clone())).build();
    Client::new(connection, options).context("Failed to make a Temporal client")
}

/// Connects, waiting as long as it takes.
pub async fn wait_connected(target: &Target) -> Client {
    let mut pause = Duration::from_millis(100);
    loop {
        match connect(target).await {
            Ok(client) => return client,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "Temporal is away; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
