//! kill -9 of the sender between any two of its steps, and at random: no batch is lost and none is confirmed twice.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::harness::{OwnWorker, Stack, Zama, factor, until};

/// A stack whose worker dies where it is told to, and is started again by the test.
struct Mortal {
    stack: Stack,
    worker: Option<OwnWorker>,
}

impl Mortal {
    fn new() -> Self {
        let mut mortal = Self { stack: Stack::without_worker(), worker: None };
        std::fs::create_dir_all(mortal.orders()).unwrap();
        mortal.lives();
        mortal
    }

    fn orders(&self) -> PathBuf {
        self.stack.place.data_dir().join("die-at")
    }

    /// Starts a worker; one that runs is killed.
    fn lives(&mut self) {
        self.worker = None;
        let folder = self.stack.place.data_dir();
        let settings = [("ZAMA_TEST_MORTAL", "1"), ("ZAMA_DEV_DATA_DIR", folder.to_str().unwrap())];
        self.worker = Some(OwnWorker::start(&self.stack, &settings));
    }

    /// A new tenant's name and token.
    fn tenant(&self) -> (String, String) {
        let zama = self.stack.tenant();
        (zama.tenant, zama.token)
    }

    /// The worker dies after this step, as soon as it comes there.
    fn shall_die_after(&self, step: &str) {
        std::fs::write(self.orders().join(step), "").unwrap();
    }

    async fn has_died_after(&mut self, step: &str) {
        let order = self.orders().join(step);
        until(&format!("the sender has died after {step}"), async || (!order.exists()).then_some(())).await;
        self.lives();
    }
}

#[tokio::test]
async fn before_anything_is_at_a_node() {
    after_each_of(&["Sealed", "Estimated", "WrittenAhead"]).await;
}

#[tokio::test]
async fn after_something_is_at_a_node() {
    after_each_of(&["Broadcast", "Mined", "Completed"]).await;
}

async fn after_each_of(steps: &[&str]) {
    let mut mortal = Mortal::new();
    let mut ids = Vec::new();
    let (tenant, token) = mortal.tenant();
    for (turn, step) in steps.iter().enumerate() {
        mortal.shall_die_after(step);
        let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
        ids.push(zama.submit(&factor(91 + 2 * turn as u64)).await.id);
        mortal.has_died_after(step).await;
    }
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

#[tokio::test]
async fn between_a_replacements_write_ahead_and_its_broadcast() {
    let mut mortal = Mortal::new();
    mortal.stack.stops_mining().await;
    let (tenant, token) = mortal.tenant();
    let id = Zama::new(&mortal.stack, tenant.clone(), token.clone()).submit(&factor(91)).await.id;
    let cheap = mortal.stack.waiting_transaction().await;
    mortal.shall_die_after("Raised");
    mortal.stack.sets_base_fee(10 * cheap.max_fee.max(1_000_000_000)).await;
    mortal.stack.calls_node("evm_mine", json!([])).await;
    mortal.has_died_after("Raised").await;
    mortal.stack.mines().await;
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.all_complete_confirmed_and_billed_once(&[id]).await;
    assert!(mortal.stack.sent().await.iter().all(|sent| sent.nonce == cheap.nonce), "one nonce");
}

#[tokio::test]
async fn at_random_while_jobs_run() {
    // 50 by `make chain-at-length`.
    let deaths: usize = std::env::var("ZAMA_DEATHS").ok().and_then(|set| set.parse().ok()).unwrap_or(3);
    let mut mortal = Mortal::new();
    let (tenant, token) = mortal.tenant();
    let mut ids = Vec::new();
    for turn in 0..deaths {
        let before = mortal.stack.sent().await.len();
        for number in 0..4 {
            let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
            ids.push(zama.submit(&factor(1_000_003 + 2 * (4 * turn + number) as u64)).await.id);
        }
        mortal.stack.sends_more_than(before).await;
        tokio::time::sleep(any_moment()).await;
        mortal.lives();
    }
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

/// Of the three seconds in which a batch that was sent is mined and becomes deep.
fn any_moment() -> Duration {
    Duration::from_millis(u64::from(uuid::Uuid::new_v4().into_bytes()[0]) * 12)
}
