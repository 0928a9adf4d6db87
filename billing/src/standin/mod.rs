//! The Lago stand-in: our small server for the part of Lago's API that we call, for machines without a Lago.
//!
//! Status codes, bodies and arithmetic are those of Lago 1.50 (Postgres event store, no licence), wallets, webhooks and
//! PDFs of invoices included. What it does not do it refuses with 501 instead of guessing, a question by which Lago would
//! tell less or something else included. It names itself in every answer, binds to loopback only, and keeps its data in one
//! journal file that survives kill -9.

mod answer;
mod book;
mod document;
mod gate;
mod invoicing;
mod journal;
mod keeper;
mod news;
mod page;
mod period;
mod prepaid;
mod pricing;
mod query;
mod records;
mod routes;
mod timeline;
mod usage;

use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpListener;

pub use gate::STAND_IN_HEADER;

use self::keeper::Keeper;
use self::news::Courier;

/// The version of Lago whose behaviour is followed.
pub const LAGO_VERSION: &str = "1.50";

/// What people are told that it is, wherever amounts of it are printed: nobody shall take it for Lago.
pub const NAME: &str = "the Lago stand-in (not a billing system)";

/// The line that tells at the start what this is, and what it is not.
pub fn banner(address: SocketAddr) -> String {
    format!(
        "Lago stand-in (not Lago; behaves like Lago {LAGO_VERSION} for the calls that Zama Jobs makes) on http://{address}"
    )
}

/// Serves until `shutdown` resolves, then ends the open requests.
///
/// # Errors
/// A listener that is not on loopback, an empty key, or a data file that cannot be used.
pub async fn serve(
    listener: TcpListener,
    data_file: PathBuf,
    api_key: String,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let address = listener.local_addr().context("Failed to read the stand-in's address")?;
    if !address.ip().is_loopback() {
        bail!("the Lago stand-in listens on loopback only, not on {address}");
    }
    ensure!(!api_key.is_empty(), "the Lago stand-in needs an API key");
    let opened = tokio::task::spawn_blocking(move || Keeper::open(&data_file, format!("http://{address}"))).await;
    let keeper = opened.context("Failed to read the data file")??;
    let courier = Courier::of(keeper.clone()).context("Failed to prepare the sending of webhooks")?;
    tracing::info!(lago.address = %address, "{}", banner(address));
    let served = axum::serve(listener, routes::router(keeper, api_key)).with_graceful_shutdown(shutdown);
    // In one future: whoever drops it has stopped both.
    tokio::select! {
        served = served.into_future() => served.context("The Lago stand-in stopped"),
        never = courier.run() => match never {},
    }
}
