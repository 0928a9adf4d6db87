//! Every request is answered in time: with BODY_TIMEOUT when the client keeps us waiting for its body, else with
//! REQUEST_TIMEOUT. And every answer is heard: a body that a refusal left unread is read on for a while.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use jobs::ErrorCode;
use tokio::runtime::Handle;

use super::problem::Problem;
use super::{prefer, upload};
use crate::ApiState;

/// Where bodies are large: a slow line may take its time, a silent one may not (see [`upload::Upload`]).
const UPLOADS: [&str; 2] = ["/v1/blobs", "/v1/fhe/keys"];

/// How much of a body is read and thrown away after its request was refused, in bytes: a client that sends all of it
/// before it listens hears the answer instead of a broken connection.
const LINGER_BYTES: usize = 16 << 20;
/// For how long, in all ...
const LINGER: Duration = Duration::from_secs(10);
/// ... and with how long a pause of the client.
const LINGER_PAUSE: Duration = Duration::from_secs(1);

/// Ends a request that takes longer than the limit; a `Prefer: wait` and an upload add their own time.
pub async fn enforce(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let is_upload = request.method() == Method::POST && path.is_some_and(|path| UPLOADS.contains(&path.as_str()));
    let extra = if is_upload { Some(upload::TIME) } else { prefer::wait(request.headers()) };
    let limit = state.request_timeout + extra.unwrap_or_default();
    let watch = Arc::new(Watch::default());
    let persistent = request.version() <= Version::HTTP_11;
    let held_back = request.headers().contains_key(header::EXPECT);
    let request = request.map(|body| Body::new(Watched { body, watch: watch.clone(), held_back, over: false }));
    let mut response = answer(limit, &watch, next.run(request)).await;
    if persistent && watch.unread.load(Ordering::Relaxed) {
        // What follows on this connection would be the rest of that body.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn answer(limit: Duration, watch: &Watch, response: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(limit, response).await {
        Ok(response) => response,
        Err(_) if watch.awaited.load(Ordering::Relaxed) => body_is_late(limit).into_response(),
        Err(_) => answer_is_late(limit).into_response(),
    }
}

fn body_is_late(limit: Duration) -> Problem {
    let detail = format!("The body did not arrive within {} seconds.", limit.as_secs());
    Problem::new(ErrorCode::BodyTimeout, detail)
}

fn answer_is_late(limit: Duration) -> Problem {
    let detail = format!("The request was not answered within {} seconds.", limit.as_secs());
    Problem::new(ErrorCode::RequestTimeout, detail)
}

/// What is known of a body from outside.
#[derive(Default)]
struct Watch {
    /// Somebody waits for the client to send more of it.
    awaited: AtomicBool,
    /// Nobody will read it to its end.
    unread: AtomicBool,
}

/// A body that tells how it is read, and that is read on for a while when it is dropped before its end.
struct Watched {
    body: Body,
    watch: Arc<Watch>,
    /// The client sends nothing before it is told to go on, and nobody has told it.
    held_back: bool,
    over: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.over || self.body.is_end_stream() {
            return;
        }
        self.watch.unread.store(true, Ordering::Relaxed);
        if !self.held_back
            && let Ok(runtime) = Handle::try_current()
        {
            let body = std::mem::take(&mut self.body);
            runtime.spawn(tokio::time::timeout(LINGER, linger(body)));
        }
    }
}

async fn linger(mut body: Body) {
    let mut read = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(LINGER_PAUSE, body.frame()).await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > LINGER_BYTES {
            return;
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.held_back = false;
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.watch.awaited.store(polled.is_pending(), Ordering::Relaxed);
        self.over |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        body_is_late(Duration::from_secs(30)).is_the_example_of_its_page();
        answer_is_late(Duration::from_secs(30)).is_the_example_of_its_page();
    }
}
