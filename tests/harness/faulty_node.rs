//! A node between a client and the real one, which answers as it is told: truly, not at all, errors or rubbish.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

/// How the node answers.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Manner {
    /// What the real node says.
    True,
    /// Never.
    Hangs,
    /// Well-formed JSON-RPC that answers no question.
    Rubbish,
    /// A load balancer's page.
    Page,
    /// An error to whatever it is asked.
    Errors,
    /// Truly, but for transactions: it refuses each.
    TakesNone,
    /// Truly, but for transactions: it takes each, and never says so.
    TakesInSilence,
}

#[derive(Clone)]
struct Behind {
    node: String,
    http: reqwest::Client,
    manner: Arc<AtomicU8>,
    asked: Arc<AtomicU32>,
}

pub struct FaultyNode {
    pub url: String,
    state: Behind,
}

impl FaultyNode {
    /// In front of the real node; answers truly at first.
    pub async fn before(node: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let state = Behind { node: node.to_owned(), http, manner: Arc::default(), asked: Arc::default() };
        let app = Router::new().route("/", post(answer)).with_state(state.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, state }
    }

    pub fn answers(&self, manner: Manner) {
        self.state.manner.store(manner as u8, Ordering::SeqCst);
        self.state.asked.store(0, Ordering::SeqCst);
    }

    /// How many questions came since it was told how to answer.
    pub fn asked(&self) -> u32 {
        self.state.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(behind): State<Behind>, question: Bytes) -> Response {
    behind.asked.fetch_add(1, Ordering::SeqCst);
    let manner = behind.manner.load(Ordering::SeqCst);
    if manner == Manner::Hangs as u8 {
        std::future::pending::<()>().await;
    }
    let json = [("content-type", "application/json")];
    if manner == Manner::Rubbish as u8 {
        return (json, r#"{"jsonrpc":"2.0","id":0,"result":"0xrubbish"}"#).into_response();
    }
    if manner == Manner::Page as u8 {
        return "<html>It works!</html>".into_response();
    }
    if manner == Manner::Errors as u8 {
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap_or_default();
        let error = json!({"code": -32005, "message": "daily request count exceeded, request rate limited"});
        return Json(json!({"jsonrpc": "2.0", "id": question["id"], "error": error})).into_response();
    }
    if manner == Manner::TakesNone as u8 && is_transaction(&question) {
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap_or_default();
        let error = json!({"code": -32000, "message": "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"});
        return Json(json!({"jsonrpc": "2.0", "id": question["id"], "error": error})).into_response();
    }
    let keeps_silent = manner == Manner::TakesInSilence as u8 && is_transaction(&question);
    let sent = behind.http.post(&behind.node).header("content-type", "application/json").body(question).send().await;
    if keeps_silent {
        std::future::pending::<()>().await;
    }
    match sent {
        Ok(answer) => (json, answer.bytes().await.unwrap_or_default()).into_response(),
        Err(_) => axum::http::StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn is_transaction(question: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(question)
        .is_ok_and(|question| question["method"] == "eth_sendRawTransaction")
}
