//! Which calls are metered: those of a caller who was let in, once they are answered. A failure of ours costs nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use chrono::Utc;

use super::observation::Caller;
use crate::ApiState;

/// Counts a request when it is answered.
pub async fn count(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let response = next.run(request).await;
    if is_metered(response.status())
        && let Some(tenant) = caller.as_ref().and_then(Caller::admitted)
    {
        state.calls.count(tenant, Utc::now());
    }
    response
}

fn is_metered(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}
