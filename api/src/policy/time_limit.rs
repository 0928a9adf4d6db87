//! Every request is answered in time, or with REQUEST_TIMEOUT.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;

use super::prefer;
use super::problem::Problem;
use crate::ApiState;

/// Ends a request that takes longer than the limit; a `Prefer: wait` adds its own time.
pub async fn enforce(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let limit = state.request_timeout + prefer::wait(request.headers()).unwrap_or_default();
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("The request was not answered within {} seconds.", limit.as_secs());
            Problem::new(ErrorCode::RequestTimeout, detail).into_response()
        }
    }
}
