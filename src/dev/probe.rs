//! How to tell whether a part serves: one small question a kind of server.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

/// A readiness question; written to the state file, so that `dev status` can ask it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Probe {
    /// PostgreSQL is past its recovery and asks for a password.
    Postgres { address: SocketAddr },
    /// The URL answers with a success status.
    Http { url: String },
    /// The key manager answers its health call.
    KeyManager { url: String },
    /// The EVM node tells its chain id.
    JsonRpc { url: String, chain_id: u64 },
}

impl Probe {
    /// Asks once, for at most two seconds.
    ///
    /// # Errors
    /// Says why the part cannot be used yet.
    pub async fn ask(&self, http: &reqwest::Client) -> Result<()> {
        let answer = async {
            match self {
                Self::Postgres { address } => postgres(*address).await,
                Self::Http { url } => {
                    let status = http.get(url).send().await.context("no answer")?.status();
                    ensure!(status.is_success(), "{url} answered {status}");
                    Ok(())
                }
                Self::KeyManager { url } => key_manager(url).await,
                Self::JsonRpc { url, chain_id } => json_rpc(http, url, *chain_id).await,
            }
        };
        timeout(PATIENCE, answer).await.context("no answer within 2 s")?
    }
}

/// Begins a session as nobody in particular: a server that serves asks for a password, one that starts says so.
/// No password is at hand here, and a session that ends at this point leaves no line in the server's log.
async fn postgres(address: SocketAddr) -> Result<()> {
    const PROTOCOL_3_0: u32 = 196_608;
    const LENGTH_BYTES: u32 = 4;
    const LARGEST_ANSWER: u32 = 4096;
    let mut start = PROTOCOL_3_0.to_be_bytes().to_vec();
    start.extend_from_slice(b"user\0probe\0database\0probe\0\0");
    let length = u32::try_from(start.len())? + LENGTH_BYTES;
    let mut stream = TcpStream::connect(address).await.context("no answer")?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&start).await?;
    let kind = stream.read_u8().await.context("the server closed the connection")?;
    // Read to the end: closing a socket with unread bytes resets the connection, which the server does log.
    let rest = stream.read_u32().await?.saturating_sub(LENGTH_BYTES).min(LARGEST_ANSWER);
    stream.read_exact(&mut vec![0; usize::try_from(rest)?]).await?;
    ensure!(kind == b'R', "PostgreSQL does not accept sessions yet");
    Ok(())
}

async fn key_manager(url: &str) -> Result<()> {
    let access = kms::Access { url: url.to_owned(), credential: String::new(), tls: None };
    Ok(kms::Client::new(&access)?.health().await?)
}

async fn json_rpc(http: &reqwest::Client, url: &str, chain_id: u64) -> Result<()> {
    let question = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []});
    let answer: serde_json::Value = http.post(url).json(&question).send().await.context("no answer")?.json().await?;
    let wanted = format!("{chain_id:#x}");
    ensure!(answer["result"] == wanted, "the node serves chain {}, not {wanted}", answer["result"]);
    Ok(())
}
