//! The reporter as a process that is killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use activities::billing_delivery::BillingDelivery;
use billing::LagoClient;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, PgPool};
use store::usage;

use super::faults::{ledger_sums, used_by_jobs};
use crate::chance::Chance;
use crate::stage::{KEY, Stage, this_month};
use crate::unreliable::Unreliable;

const LIVES: u32 = 50;
/// Jobs whose usage falls due while a reporter starts: two batches.
const JOBS_A_LIFE: u32 = 50;
/// Longest life after its first look, in milliseconds.
const LONGEST_LIFE: u64 = 80;
const DATABASE: &str = "ZAMA_TEST_REPORTER_DATABASE";
const ORIGIN: &str = "ZAMA_TEST_REPORTER_ORIGIN";
/// What a reporter says when it begins.
const BEGINS: &str = "the reporter begins";

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
    let stage = Stage::new().await;
    let mut chance = Chance::new();
    let way = Unreliable::before(&stage.origin, chance.below(u64::MAX)).await;
    let mut in_flight = 0;
    for life in 0..LIVES {
        used_by_jobs(&stage, life * JOBS_A_LIFE + 1..=(life + 1) * JOBS_A_LIFE).await;
        let reporter = Reporter::start(&stage, &way.origin);
        tokio::time::sleep(Duration::from_millis(chance.below(LONGEST_LIFE))).await;
        drop(reporter);
        let cut_off = "SELECT count(*) FROM usage_ledger WHERE billed_at IS NOT NULL AND delivered_at IS NULL";
        in_flight += u32::from(stage.outbox.count(cut_off).await > 0);
    }
    println!("{in_flight} of {LIVES} kills left rows of which the reporter had told Lago, or was about to");
    stage.delivers().await;
    assert_eq!(stage.event_sums().await, ledger_sums(&stage).await);
    assert_eq!(stage.outbox.count("SELECT count(*) FROM usage_ledger WHERE delivered_at IS NULL").await, 0);
    stage.agrees(this_month()).await;
}

/// No test: what [`Reporter`] runs.
#[tokio::test]
#[ignore = "a reporter that another test starts and kills"]
async fn report_until_killed() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let pool: PgPool = PgPoolOptions::new().max_connections(2).connect(&variable(DATABASE)).await.unwrap();
    let lago = LagoClient::new(&variable(ORIGIN), KEY).unwrap();
    let delivery = BillingDelivery::new(pool.clone(), lago.into(), "developer".to_owned());
    println!("{BEGINS}");
    let reports = async {
        loop {
            // A failure is the next turn's to mend.
            drop(delivery.deliver(usage::overdue(&pool, 0.0, 1000).await.unwrap()).await);
        }
    };
    // Whoever should kill it may be gone.
    let _ = tokio::time::timeout(Duration::from_secs(60), reports).await;
}
