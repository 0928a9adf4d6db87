//! A network in front of the stand-in: it loses requests, answers, halves of batches and its patience, or is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::stage::KEY;

/// Kinds of faults that a batch meets.
pub const FAULTS: usize = 7;
/// It is taken, and never answered. Happens once: whoever asked waits for ten seconds.
const SILENCE: u64 = 6;
/// No fault.
const NONE: u64 = SILENCE + 1;

/// Bytes of a request.
pub const LARGEST: usize = 1 << 24;

/// The way to the stand-in, and what happened on it.
pub struct Unreliable {
    pub origin: String,
    pub seen: Arc<Seen>,
}

/// A way that is whole, or cut.
pub struct Line {
    pub origin: String,
    is_cut: Arc<AtomicBool>,
}

impl Line {
    pub async fn before(origin: &str) -> Self {
        let is_cut = Arc::new(AtomicBool::default());
        let line = (is_cut.clone(), Forward::to(origin));
        let router = Router::new().fallback(
            async |State((is_cut, forward)): State<(Arc<AtomicBool>, Forward)>, request| {
                if is_cut.load(Ordering::Relaxed) { cut() } else { forward.whole(request).await }
            },
        );
        Self { origin: serve(router.with_state(line)).await, is_cut }
    }

    pub fn is_cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }
}

/// Serves a way, and tells its address.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

/// A way to the stand-in as if its invoices were not finalized yet: tells its address.
pub async fn drafting(origin: &str) -> String {
    with_status(origin, "draft").await
}

/// A way to the stand-in as if its invoices had another status: tells its address.
pub async fn with_status(origin: &str, status: &'static str) -> String {
    let state = (Forward::to(origin), status);
    serve(Router::new().fallback(another_status).with_state(state)).await
}

async fn another_status(State((forward, status)): State<(Forward, &'static str)>, request: Request) -> Response {
    let (head, body) = forward.whole(request).await.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await.unwrap();
    let text = String::from_utf8_lossy(&body).replace(r#""status":"finalized""#, &format!(r#""status":"{status}""#));
    (head.status, text).into_response()
}

/// A way to the stand-in as if it made its invoices in the background, and had made none yet: tells its address.
pub async fn invoicing_later(origin: &str) -> String {
    serve(Router::new().fallback(leave_out).with_state(Forward::to(origin))).await
}

async fn leave_out(State(forward): State<Forward>, request: Request) -> Response {
    let is_list = request.uri().path() == "/api/v1/invoices";
    let (head, body) = forward.whole(request).await.into_parts();
    if !is_list {
        return Response::from_parts(head, body);
    }
    let body = axum::body::to_bytes(body, LARGEST).await.unwrap();
    let mut list: Value = serde_json::from_slice(&body).unwrap();
    list["invoices"] = Value::Array(Vec::new());
    (head.status, list.to_string()).into_response()
}

/// How often each fault happened to a batch, by its number.
#[derive(Default)]
pub struct Seen([AtomicU64; FAULTS]);

impl Seen {
    /// How many kinds of faults happened.
    pub fn kinds(&self) -> usize {
        self.0.iter().filter(|times| times.load(Ordering::Relaxed) > 0).count()
    }
}

/// What passes requests on.
#[derive(Clone)]
pub struct Forward {
    to: String,
    http: reqwest::Client,
}

impl Forward {
    pub fn to(origin: &str) -> Self {
        Self { to: origin.to_owned(), http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub async fn whole(&self, request: Request) -> Response {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
        self.pass(method, &path, body).await
    }

    pub async fn pass(&self, method: Method, path: &str, body: Bytes) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.to)).bearer_auth(KEY);
        let answer = request.header(header::CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap()).into_response()
    }
}

#[derive(Clone)]
struct Way {
    forward: Forward,
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
        let way = Way {
            forward: Forward::to(origin),
            dice: Arc::new(AtomicU64::new(seed)),
            batches: Arc::default(),
            top_ups: Arc::default(),
            seen: seen.clone(),
        };
        Self { origin: serve(Router::new().fallback(pass).with_state(way)).await, seen }
    }
}

impl Way {
    fn throws(&self, sides: u64) -> u64 {
        let step =
            |state: u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        let state = self.dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap();
        (state >> 33) % sides
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    let is_batch = path == "/api/v1/events/batch";
    let is_top_up = path == "/api/v1/wallet_transactions";
    let fault = match is_batch.then(|| way.batches.fetch_add(1, Ordering::Relaxed)) {
        Some(turn) if turn <= SILENCE => turn,
        Some(_) => but_silence(way.throws(30)),
        None if is_top_up => but_silence(way.top_ups.fetch_add(1, Ordering::Relaxed)),
        None => but_silence(way.throws(60)),
    };
    if let Some(times) = way.seen.0.get(usize::try_from(fault).unwrap()).filter(|_| is_batch) {
        times.fetch_add(1, Ordering::Relaxed);
    }
    match fault {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        1 => {
            way.forward.pass(method, &path, body).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        2 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
        3 => {
            way.forward.pass(method, &path, body).await;
            cut()
        }
        4 => cut(),
        5 if is_batch => {
            let mut half: Value = serde_json::from_slice(&body).unwrap();
            let events = half["events"].as_array_mut().unwrap();
            events.truncate(events.len() / 2);
            way.forward.pass(method, &path, half.to_string().into()).await;
            StatusCode::BAD_GATEWAY.into_response()
        }
        SILENCE => {
            way.forward.pass(method, &path, body).await;
            std::future::pending().await
        }
        _ => way.forward.pass(method, &path, body).await,
    }
}

fn but_silence(fault: u64) -> u64 {
    if fault == SILENCE { NONE } else { fault }
}

/// An answer that breaks off.
fn cut() -> Response {
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    Body::from_stream(broken).into_response()
}
