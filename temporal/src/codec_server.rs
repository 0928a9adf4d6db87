//! The codec server: lets the Temporal UI show payloads in clear to an operator on this machine.
//!
//! Protocol: `POST /encode` and `/decode` with `{"payloads": [...]}` in protobuf's JSON mapping
//! (<https://docs.temporal.io/production-deployment/data-encryption>).

use std::future::Future;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio::net::TcpListener;

use crate::codec::KeyRing;

#[derive(Clone)]
struct Server {
    keys: KeyRing,
    /// Origin of the UI: the only one that a browser may call from.
    ui: HeaderValue,
}

/// Serves until `shutdown` resolves.
///
/// # Errors
/// A UI origin that is not a header value, or a listener that fails.
pub async fn serve(
    listener: TcpListener,
    keys: KeyRing,
    ui_origin: &str,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let ui = HeaderValue::from_str(ui_origin).context("the UI's origin is not valid")?;
    let app = Router::new()
        .route("/encode", post(encode))
        .route("/decode", post(decode))
        .fallback(any(|| async { StatusCode::NOT_FOUND }))
        .layer(axum::middleware::from_fn_with_state(Server { keys: keys.clone(), ui: ui.clone() }, cors))
        .with_state(Server { keys, ui });
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await.context("the codec server failed")
}

#[derive(Deserialize, Serialize)]
struct Payloads {
    // Protobuf's JSON leaves out a list that is empty: a query without arguments has none.
    #[serde(default)]
    payloads: Vec<JsonPayload>,
}

/// A payload in protobuf's JSON mapping: bytes in base64.
#[derive(Deserialize, Serialize)]
struct JsonPayload {
    #[serde(default)]
    metadata: std::collections::HashMap<String, String>,
    #[serde(default)]
    data: String,
}

async fn encode(State(server): State<Server>, Json(body): Json<Payloads>) -> Response {
    answer(&body, |payload| server.keys.seal(payload))
}

async fn decode(State(server): State<Server>, Json(body): Json<Payloads>) -> Response {
    answer(&body, |payload| server.keys.open(payload))
}

fn answer(body: &Payloads, work: impl Fn(&Payload) -> Result<Payload>) -> Response {
    let done: Result<Vec<_>> =
        body.payloads.iter().map(|payload| Ok(JsonPayload::from(work(&payload.try_into()?)?))).collect();
    match done {
        Ok(payloads) => Json(Payloads { payloads }).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn cors(State(server): State<Server>, request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, server.ui);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let allowed = HeaderValue::from_static("content-type, x-namespace");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    response
}

impl TryFrom<&JsonPayload> for Payload {
    type Error = anyhow::Error;

    fn try_from(json: &JsonPayload) -> Result<Self> {
        let decode = |text: &String| STANDARD.decode(text).context("not base64");
        let metadata = json.metadata.iter().map(|(name, value)| Ok((name.clone(), decode(value)?)));
        Ok(Payload { metadata: metadata.collect::<Result<_>>()?, data: decode(&json.data)?, ..Self::default() })
    }
}

impl From<Payload> for JsonPayload {
    fn from(payload: Payload) -> Self {
        let metadata = payload.metadata.into_iter().map(|(name, value)| (name, STANDARD.encode(value)));
        Self { metadata: metadata.collect(), data: STANDARD.encode(payload.data) }
    }
}
