//! `zama-jobs lago-standin`: our small stand-in for Lago, for a developer's machine. Not a billing system.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use billing::standin;
use clap::Args;
use settings::Settings;
use tokio::net::TcpListener;

use super::{Role, process};
use crate::output;

#[derive(Args)]
pub struct LagoStandinArgs {
    /// Loopback address to listen on.
    #[arg(long, default_value = "127.0.0.1:3999")]
    listen: SocketAddr,
    /// File that keeps its data.
    #[arg(long)]
    data: PathBuf,
    /// API key that clients must send.
    #[arg(long)]
    key: String,
}

/// # Errors
/// An address that is taken or not loopback, or a data file that cannot be used.
pub fn run(settings: &Settings, args: LagoStandinArgs) -> Result<()> {
    process::run(settings, Role::Server, |stop| async move {
        let listener =
            TcpListener::bind(args.listen).await.with_context(|| format!("Failed to bind {}", args.listen))?;
        output::progress(standin::banner(listener.local_addr()?));
        standin::serve(listener, args.data, args.key, stop.cancelled_owned()).await
    })
}
