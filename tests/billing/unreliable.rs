//! A network in front of the stand-in: it loses requests, answers, halves of batches and its patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::stage::KEY;

/// The way to the stand-in, and what happened on it.
pub struct Unreliable {
    pub origin: String,
    pub seen: Arc<Seen>,
}

/// How often each fault happened to a batch, by its number.
#[derive(Default)]
pub struct Seen([AtomicU64; 6]);

impl Seen {
    /// How many kinds of faults happened.
    pub fn kinds(&self) -> usize {
        self.0.iter().filter(|times| times.load(Ordering::Relaxed) > 0).count()
    }
}

#[derive(Clone)]
struct Way {
    to: String,
    http: reqwest::Client,
    /// State of a generator of numbers that look random, the same for the same seed.
    dice: Arc<AtomicU64>,
    /// Batches so far: the first ones meet each fault in turn.
    batches: Arc<AtomicU64>,
    /// Top-ups so far: the first ones meet each fault in turn, and the others none.
    top_ups: Arc<AtomicU64>,
    seen: Arc<Seen>,
}

impl Unreliable {
    pub async fn before(origin: &str, seed: u64) -> Self {
        let seen = Arc::new(Seen::default());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let way = Way {
            to: origin.to_owned(),
            http,
            dice: Arc::new(AtomicU64::new(seed)),
            batches: Arc::default(),
            top_ups: Arc::default(),
            seen: seen.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass).with_state(way)).await });
        Self { origin, seen }
    }
}

impl Way {
    fn throws(&self, sides: u64) -> u64 {
        let step =
            |state: u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        let state = self.dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap();
        (state >> 33) % sides
    }

    async fn forward(&self, method: Method, path: &str, body: Bytes) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.to)).bearer_auth(KEY);
        let answer = request.header(header::CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap()).into_response()
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), 1 << 24).await.unwrap();
    let is_batch = path == "/api/v1/events/batch";
    let is_top_up = path == "/api/v1/wallet_transactions";
    let fault = match is_batch.then(|| way.batches.fetch_add(1, Ordering::Relaxed)) {
        Some(turn) if turn < 6 => turn,
        Some(_) => way.throws(10),
        None if is_top_up => way.top_ups.fetch_add(1, Ordering::Relaxed),
        None => way.throws(60),
    };
    if let Some(times) = way.seen.0.get(usize::try_from(fault).unwrap()).filter(|_| is_batch) {
        times.fetch_add(1, Ordering::Relaxed);
    }
    match fault {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        1 => {
            way.forward(method, &path, body).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        2 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
        3 => {
            way.forward(method, &path, body).await;
            cut()
        }
        4 => cut(),
        5 if is_batch => {
            let mut half: Value = serde_json::from_slice(&body).unwrap();
            let events = half["events"].as_array_mut().unwrap();
            events.truncate(events.len() / 2);
            way.forward(method, &path, half.to_string().into()).await;
            StatusCode::BAD_GATEWAY.into_response()
        }
        _ => way.forward(method, &path, body).await,
    }
}

/// An answer that breaks off.
fn cut() -> Response {
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    Body::from_stream(broken).into_response()
}
