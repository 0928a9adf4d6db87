//! GET /metrics

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::ApiState;
use crate::errors;

/// Media type of the text exposition format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

errors!(Errors: Public);

/// Metrics for Prometheus
///
/// Requests by route, method and status, and their latency.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, description = "The text exposition format.", body = String, content_type = "text/plain",
         example = "zama_http_requests_total{route=\"/v1/jobs\",method=\"POST\",status=\"202\"} 17"),
        Errors
    )
)]
pub async fn metrics(State(state): State<Arc<ApiState>>) -> Response {
    let text = state.prometheus.as_ref().map(|recorder| {
        // Without upkeep the histograms' samples pile up between two scrapes.
        recorder.run_upkeep();
        recorder.render()
    });
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text.unwrap_or_default()).into_response()
}
