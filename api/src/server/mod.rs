//! Serving until told to stop, then finishing what is under way.

mod connection;
mod patience;
mod tls;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use connection::Connection;
pub use tls::{CertificateFiles, Tls, TlsError};

/// How long requests may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after an error of the listener itself, such as too many open files: connections that end may mend it.
const LISTENER_REST: Duration = Duration::from_secs(1);

/// What clients may ask of the server before there is a request.
#[derive(Clone, Debug)]
pub struct Door {
    /// Within which a TLS handshake and the head of a request must be there, on an idle connection too; and how long a
    /// client may leave unread what it is sent.
    pub head_timeout: Duration,
    /// Connections open at once; further ones wait until one of these ends.
    pub max_connections: usize,
    /// Without it connections are plain HTTP.
    pub tls: Option<Tls>,
}

/// Serves until `shutdown`; then takes no new connections, and ends when the open requests are answered or the grace
/// period of 10 seconds is over.
///
/// # Errors
/// The listener's address cannot be read.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    door: Door,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let address = listener.local_addr().context("Failed to serve HTTP")?;
    let slots = Arc::new(Semaphore::new(door.max_connections));
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let accepting = async {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let stream = accept(&listener).await;
            let connection = Connection { router: router.clone(), door: door.clone(), stopping: stopping.clone() };
            connections.spawn(async move {
                connection.serve(stream).await;
                drop(slot);
            });
        }
    };
    {
        let (accepting, shutdown) = (pin!(accepting), pin!(shutdown));
        futures::future::select(accepting, shutdown).await;
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!(http.address = %address, connections = connections.len(), "cut off at the end of the grace period");
    }
    Ok(())
}

/// The next connection. Errors of one that is gone already are nobody's; the listener's own are waited out.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_the_connections(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(LISTENER_REST).await;
            }
        }
    }
}

fn is_the_connections(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}
