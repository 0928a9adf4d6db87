//! A node, or a signing server, between a client and the real one: what it is told to it answers in its own way.
#![allow(dead_code)] // Each test binary uses a part of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use alloy::providers::{Provider, ProviderBuilder};
use alloy::transports::RpcError;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How it answers questions of one method.
#[derive(Clone)]
pub enum Manner {
    Result(Value),
    Error(i64, &'static str),
    /// It takes the question and never answers.
    Silence,
    /// As Web3Signer: of a transaction it reads `data` and no `input`.
    ReadsData,
    /// As geth: the signed transaction as bytes and as JSON.
    InTwoForms,
}

#[derive(Clone, Default)]
struct State {
    manners: Arc<Mutex<HashMap<&'static str, Manner>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

pub struct FaultyNode {
    pub url: String,
    state: State,
}

impl FaultyNode {
    /// In front of the real one; answers truly at first.
    pub async fn before(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, node) = (State::default(), node.to_owned());
        let served = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, served.clone(), node.clone()));
            }
        });
        Self { url, state }
    }

    /// From now on.
    pub fn answers(&self, method: &'static str, manner: Manner) {
        self.state.manners.lock().unwrap().insert(method, manner);
    }

    pub fn answers_truly(&self, method: &'static str) {
        self.state.manners.lock().unwrap().remove(method);
    }

    /// How often it was asked this.
    pub fn asked(&self, method: &str) -> usize {
        self.state.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }
}

async fn serve(mut stream: TcpStream, state: State, node: String) {
    let Some(question) = question(&mut stream).await else { return };
    let method = question["method"].as_str().unwrap_or_default().to_owned();
    state.asked.lock().unwrap().push(method.clone());
    let manner = state.manners.lock().unwrap().get(method.as_str()).cloned();
    let (member, value) = match manner {
        Some(Manner::Silence) => return std::future::pending().await,
        Some(Manner::Result(value)) => ("result", value),
        Some(Manner::Error(code, message)) => ("error", json!({ "code": code, "message": message })),
        Some(Manner::ReadsData) => {
            let mut params = question["params"].clone();
            params[0].as_object_mut().unwrap().remove("input");
            forwarded(&node, method, params).await
        }
        Some(Manner::InTwoForms) => {
            let (member, raw) = forwarded(&node, method, question["params"].clone()).await;
            (member, json!({ "raw": raw, "tx": { "type": "0x2" } }))
        }
        None => forwarded(&node, method, question["params"].clone()).await,
    };
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], member: value }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all((head + &answer).as_bytes()).await;
}

/// The JSON of a request with a length.
async fn question(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length: usize = head.split("content-length:").nth(1)?.lines().next()?.trim().parse().ok()?;
        if let Some(body) = bytes.get(end + 4..end + 4 + length) {
            return serde_json::from_slice(body).ok();
        }
    }
}

async fn forwarded(node: &str, method: String, params: Value) -> (&'static str, Value) {
    let provider = ProviderBuilder::new().connect_http(node.parse().unwrap());
    match provider.raw_request::<Value, Value>(method.into(), params).await {
        Ok(result) => ("result", result),
        Err(RpcError::ErrorResp(payload)) => ("error", serde_json::to_value(payload).unwrap()),
        Err(other) => ("error", json!({ "code": -32603, "message": other.to_string() })),
    }
}
