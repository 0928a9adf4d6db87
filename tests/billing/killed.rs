//! The reporter as a process that is killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use activities::ReportUsage;
use activities::billing_delivery::BillingDelivery;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use billing::LagoClient;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, PgPool};
use tokio::sync::Notify;

use super::faults::{ledger_sums, used_by_jobs};
use crate::chance::Chance;
use crate::stage::{KEY, Stage, TENANTS, reports};
use crate::unreliable::{Forward, LARGEST, Unreliable, serve};

const LIVES: u32 = 50;
/// Jobs whose usage falls due while a reporter starts: a batch of each tenant.
const JOBS_A_LIFE: u32 = 50;
/// Longest life after its first look, in milliseconds.
const LONGEST_LIFE: u64 = 80;
const DATABASE: &str = "ZAMA_TEST_REPORTER_DATABASE";
const ORIGIN: &str = "ZAMA_TEST_REPORTER_ORIGIN";
/// What a reporter says when it begins.
const BEGINS: &str = "the reporter begins";

/// Longest time until a reporter that began has sent a batch, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way on which batches are held and never answered.
struct Hold {
    origin: String,
    way: Holding,
}

#[derive(Clone)]
struct Holding {
    forward: Forward,
    /// Whether Lago has the batch by then.
    arrives: bool,
    holds: Arc<Notify>,
}

impl Hold {
    async fn before(origin: &str, arrives: bool) -> Self {
        let way = Holding { forward: Forward::to(origin), arrives, holds: Arc::default() };
        Self { origin: serve(Router::new().fallback(hold).with_state(way.clone())).await, way }
    }

    async fn holds_a_batch(&self) {
        tokio::time::timeout(PATIENCE, self.way.holds.notified()).await.expect("a batch is sent");
    }
}

async fn hold(State(way): State<Holding>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    let is_batch = path == "/api/v1/events/batch";
    if way.arrives || !is_batch {
        let answer = way.forward.pass(method, &path, body).await;
        if !is_batch {
            return answer;
        }
    }
    way.holds.notify_one();
    std::future::pending().await
}

impl Stage {
    /// Rows of which a reporter was about to tell Lago, or had told it, without knowing; the oldest first, as they are sent.
    async fn cut_off(&self) -> Vec<String> {
        let rows = "SELECT id FROM usage_ledger WHERE billed_at IS NOT NULL AND delivered_at IS NULL
                     ORDER BY occurred_at, id";
        sqlx::query_scalar(rows).fetch_all(self.pool()).await.unwrap()
    }

    async fn lago_has_one_of(&self, rows: &[String]) -> bool {
        for id in rows {
            if self.lago.get_event(id).await.unwrap().is_some() {
                return true;
            }
        }
        false
    }
}

/// A reporter in a process of its own.
struct Reporter(Child);

impl Reporter {
    /// Starts one, and waits until it begins.
    fn start(stage: &Stage, origin: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "billing_system::killed::report_until_killed", "--ignored", "--nocapture"])
            .env(DATABASE, stage.outbox.options().to_url_lossy().as_str())
            .env(ORIGIN, origin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(told.any(|line| line.unwrap().contains(BEGINS)), "it ended before it began");
        Self(child)
    }
}

impl Drop for Reporter {
    /// kill -9
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reporter_that_is_killed_fifty_times_delivers_everything_once() {
    let stage = Stage::of_several().await;
    let mut chance = Chance::new();
    let way = Unreliable::before(&stage.origin, chance.below(u64::MAX)).await;
    for life in 0..LIVES {
        used_by_jobs(&stage, &TENANTS, life * JOBS_A_LIFE + 1..=(life + 1) * JOBS_A_LIFE).await;
        // Two lives of five end in the middle of a send, before Lago has it and after; the others at any moment.
        let hold = match life % 5 {
            0 => Some(Hold::before(&stage.origin, false).await),
            1 => Some(Hold::before(&stage.origin, true).await),
            _ => None,
        };
        let origin = hold.as_ref().map_or(way.origin.as_str(), |hold| hold.origin.as_str());
        let reporter = Reporter::start(&stage, origin);
        match &hold {
            Some(hold) => hold.holds_a_batch().await,
            None => tokio::time::sleep(Duration::from_millis(chance.below(LONGEST_LIFE))).await,
        }
        drop(reporter);
        if let Some(hold) = hold {
            let cut_off = stage.cut_off().await;
            assert!(!cut_off.is_empty(), "life {life}: a send was under way");
            assert!(!hold.way.arrives || stage.lago_has_one_of(&cut_off).await, "life {life}: Lago has the batch");
        }
    }
    stage.delivers().await;
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE delivered_at IS NULL").await, 0);
    stage.is_reconciled(&TENANTS).await;
}

/// No test: what [`Reporter`] runs.
#[tokio::test]
#[ignore = "a reporter that another test starts and kills"]
async fn report_until_killed() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let pool: PgPool = PgPoolOptions::new().max_connections(2).connect(&variable(DATABASE)).await.unwrap();
    let lago = LagoClient::new(&variable(ORIGIN), KEY).unwrap();
    let delivery = BillingDelivery::new(pool.clone(), lago.into(), "developer".to_owned());
    let reporter = ReportUsage { billing: Some(Arc::new(delivery)) };
    println!("{BEGINS}");
    let life = async {
        loop {
            reports(&pool, &reporter).await;
        }
    };
    // Whoever should kill it may be gone.
    let _ = tokio::time::timeout(Duration::from_secs(60), life).await;
}
