//! Every request is answered in time, or with REQUEST_TIMEOUT.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
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
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("The request was not answered within {} seconds.", limit.as_secs());
            Problem::new(ErrorCode::RequestTimeout, detail).into_response()
        }
    }
}
