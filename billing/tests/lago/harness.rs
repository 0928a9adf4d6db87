//! A stand-in of one's own for each test, with a client, a clock's second and the verbs of metering.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::net::SocketAddr;
use std::path::PathBuf;

use billing::{
    Catalogue, ExternalId, LagoClient, Metric, NewWallet, TopUp, UsageEvent, Wallet, WalletId, ensure_tenant, setup,
    standin,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const KEY: &str = "test-key";

pub struct Standin {
    pub address: SocketAddr,
    pub client: LagoClient,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Standin {
    pub async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    /// With the standard catalogue and the tenant `acme` on a plan.
    pub async fn with_acme(plan: &str) -> Self {
        let standin = Self::start().await;
        setup(&standin.client, &Catalogue::standard()).await.unwrap();
        ensure_tenant(&standin.client, &acme(), &id(plan), now()).await.unwrap();
        standin
    }

    async fn on(folder: TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let data = folder.path().join("lago.jsonl");
        let task = tokio::spawn(async move {
            standin::serve(listener, data, KEY.to_owned(), async { drop(stopped.await) }).await.unwrap();
        });
        let client = LagoClient::new(&format!("http://{address}"), KEY).unwrap();
        Self { address, client, folder, stop: Some(stop), task }
    }

    pub fn data_file(&self) -> PathBuf {
        self.folder.path().join("lago.jsonl")
    }

    /// Ends the server without a word to it, tears the file as a dying write would, and starts anew on the same data.
    pub async fn crash_and_restart(self) -> Self {
        self.restart_on(|bytes| bytes.extend_from_slice(b"[{\"kind\":\"event\",\"is\":{\"id\"")).await
    }

    /// Ends the server without a word to it, and starts anew on its data as somebody changed them meanwhile.
    pub async fn restart_on(self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        drop(self.client);
        self.task.abort();
        drop(self.stop);
        drop(self.task.await);
        let path = self.folder.path().join("lago.jsonl");
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        Self::on(self.folder).await
    }

    /// A call as plain HTTP: status and body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method: reqwest::Method = method.parse().unwrap();
        let request =
            reqwest::Client::new().request(method, format!("http://{}/api/v1/{path}", self.address)).bearer_auth(KEY);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()[standin::STAND_IN_HEADER], "zama-jobs");
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub async fn send(&self, event: UsageEvent) {
        assert_eq!(self.client.send(&[event]).await.unwrap(), [billing::Delivery::Delivered]);
    }

    /// Units, events and cents of one metric in acme's open period.
    pub async fn usage_of(&self, metric: Metric) -> (String, i64, i64) {
        let usage = self.client.current_usage(&acme()).await.unwrap();
        let line = usage.lines.into_iter().find(|line| line.metric == metric.as_str()).unwrap();
        (line.units.to_string(), line.events_count, line.amount_cents)
    }
}

pub fn id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

pub fn acme() -> ExternalId {
    id("acme")
}

pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// An event of acme, now.
pub fn event(transaction_id: &str, metric: Metric, value: &str) -> UsageEvent {
    UsageEvent {
        transaction_id: transaction_id.to_owned(),
        external_subscription_id: acme(),
        code: metric,
        timestamp: now().timestamp(),
        value: value.parse().unwrap(),
        gas: None,
    }
}

impl Standin {
    /// A wallet of acme's with a credit for each euro.
    pub async fn wallet(&self) -> Wallet {
        self.client.create_wallet(&new_wallet("1")).await.unwrap()
    }

    pub async fn wallet_now(&self, id: WalletId) -> Wallet {
        self.client.wallets(&acme()).await.unwrap().into_iter().find(|wallet| wallet.id == id).unwrap()
    }

    /// Credits for nothing.
    pub async fn grants(&self, wallet: WalletId, credits: &str) {
        let granted = TopUp { granted: credits.parse().unwrap(), ..top_up() };
        self.client.top_up(wallet, &granted).await.unwrap();
    }

    /// Credits whose invoice is paid at once.
    pub async fn sells(&self, wallet: WalletId, credits: &str) {
        let bought = TopUp { paid: credits.parse().unwrap(), ..top_up() };
        self.client.top_up(wallet, &bought).await.unwrap();
        let asked = self.client.transactions_of_top_up(wallet, bought.id).await.unwrap().remove(0);
        self.client.mark_as_paid(&asked.invoice.unwrap()).await.unwrap();
    }

    /// The newest invoice of acme's, whole.
    pub async fn newest_invoice(&self) -> Value {
        let listed = self.call("GET", "invoices?external_customer_id=acme", json!(null)).await.1;
        let id = listed["invoices"][0]["lago_id"].as_str().unwrap().to_owned();
        self.call("GET", &format!("invoices/{id}"), json!(null)).await.1["invoice"].clone()
    }
}

pub fn new_wallet(rate: &str) -> NewWallet {
    NewWallet {
        customer: acme(),
        code: id("prepaid"),
        name: "Prepaid credits".to_owned(),
        currency: "EUR".to_owned(),
        rate: rate.parse().unwrap(),
    }
}

/// A top-up of nothing, under an id of its own.
pub fn top_up() -> TopUp {
    TopUp { id: uuid::Uuid::now_v7(), paid: 0u64.into(), granted: 0u64.into(), name: None }
}

/// Looks until it is so.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(began.elapsed().as_secs() < 120, "not within two minutes: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A raw event as JSON.
pub fn raw(transaction_id: &str, timestamp: Value) -> Value {
    json!({ "transaction_id": transaction_id, "external_subscription_id": "acme", "code": "compute_units", "timestamp": timestamp, "properties": { "value": "1" } })
}
