//! Every request is answered in time: with BODY_TIMEOUT when the client keeps us waiting for its body, else with
//! REQUEST_TIMEOUT.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use jobs::ErrorCode;

use super::problem::Problem;
use super::{prefer, upload};
use crate::ApiState;

/// Where bodies are large: a slow line may take its time, a silent one may not (see [`upload::Upload`]).
const UPLOADS: [&str; 2] = ["/v1/blobs", "/v1/fhe/keys"];

/// Ends a request that takes longer than the limit; a `Prefer: wait` and an upload add their own time.
pub async fn enforce(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let is_upload = request.method() == Method::POST && path.is_some_and(|path| UPLOADS.contains(&path.as_str()));
    let extra = if is_upload { Some(upload::TIME) } else { prefer::wait(request.headers()) };
    let limit = state.request_timeout + extra.unwrap_or_default();
    let awaited = Arc::new(AtomicBool::new(false));
    let watched = awaited.clone();
    let request = request.map(|body| Body::new(Watched { body, awaited: watched }));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) if awaited.load(Ordering::Relaxed) => {
            let detail = format!("The body did not arrive within {} seconds.", limit.as_secs());
            Problem::new(ErrorCode::BodyTimeout, detail).into_response()
        }
        Err(_) => {
            let detail = format!("The request was not answered within {} seconds.", limit.as_secs());
            Problem::new(ErrorCode::RequestTimeout, detail).into_response()
        }
    }
}

/// A body that notes whether somebody waits for the client to send more of it.
struct Watched {
    body: Body,
    awaited: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.awaited.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
