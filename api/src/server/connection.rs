//! One connection: what it may cost, from its first byte to its last request. TLS settles the version of HTTP; without
//! TLS it is HTTP/1.1, because waiting for bytes that tell the version has no time-out.

use std::pin::pin;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Door;
use super::patience::Patience;
use crate::policy::client_address::Peer;
use crate::policy::framing::Misframed;

/// Headers of a request, in number and in bytes of the whole head: 431 beyond. The bytes are counted a read at a time, so
/// that up to twice as many may pass.
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// HTTP/2: requests under way on one connection.
const MAX_STREAMS: u32 = 100;

pub(super) struct Connection {
    pub router: Router,
    pub door: Door,
    pub stopping: CancellationToken,
}

impl Connection {
    /// Until the client closes it, is too slow, or the server stops and its open requests are answered.
    pub(super) async fn serve(self, stream: TcpStream) {
        // Answers are small and written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        // One whose other end cannot be told is gone already.
        let Ok(address) = stream.peer_addr().map(|peer| peer.ip()) else { return };
        let Some(tls) = self.door.tls.clone() else {
            return self.requests(stream, Http::One, Peer { address, secure: false }).await;
        };
        let handshake = tokio::time::timeout(self.door.head_timeout, tls.accept(stream));
        match self.stopping.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => {
                let version = Http::agreed(stream.get_ref().1.alpn_protocol());
                self.requests(stream, version, Peer { address, secure: true }).await;
            }
            Some(Ok(Err(error))) => tracing::debug!(%error, "no TLS connection came about"),
            Some(Err(_)) => tracing::debug!("the TLS handshake took too long"),
            None => {}
        }
    }

    async fn requests(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, version: Http, peer: Peer) {
        let service = self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(wrong) = Misframed::of(&request).filter(|_| version == Http::One) {
                request.extensions_mut().insert(wrong);
            }
            request.map(Body::new)
        });
        let io = Patience::new(io, self.door.head_timeout);
        let mut builder = match version {
            Http::One => Builder::new(TokioExecutor::new()).http1_only(),
            Http::Two => Builder::new(TokioExecutor::new()).http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.door.head_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.door.head_timeout)
            .keep_alive_timeout(self.door.head_timeout)
            .max_header_list_size(MAX_HEAD_BYTES)
            .max_concurrent_streams(MAX_STREAMS);
        // Not `_with_upgrades`: that one waits without end for bytes that tell the version, whatever the builder says.
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service)));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Http {
    One,
    Two,
}

impl Http {
    fn agreed(alpn: Option<&[u8]>) -> Self {
        if alpn == Some(b"h2") { Self::Two } else { Self::One }
    }
}
