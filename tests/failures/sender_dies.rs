//! kill -9 of the sender between any two of its steps, and at random: no batch is lost and none is confirmed twice.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use jobs::JobStatus;
use serde_json::json;

use crate::harness::{ADMIN, Chance, OwnWorker, Stack, Zama, block, factor, until, within_a_minute};

const GWEI: u128 = 1_000_000_000;

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
    zama.recovers_with_receipts(&ids).await;
}

#[tokio::test]
async fn between_a_replacements_write_ahead_and_its_broadcast() {
    let mut mortal = Mortal::new();
    mortal.stack.stops_mining().await;
    let (tenant, token) = mortal.tenant();
    let id = Zama::new(&mortal.stack, tenant.clone(), token.clone()).submit(&factor(91)).await.id;
    let cheap = mortal.stack.waiting_transaction().await;
    mortal.shall_die_after("Raised");
    mortal.stack.sets_base_fee(10 * cheap.max_fee.max(GWEI)).await;
    mortal.stack.calls_node("evm_mine", json!([])).await;
    mortal.has_died_after("Raised").await;
    mortal.stack.mines().await;
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.recovers_with_receipts(&[id]).await;
    assert!(mortal.stack.sent().await.iter().all(|sent| sent.nonce == cheap.nonce), "one nonce");
}

/// Another program's transaction waits before ours and is dropped, and then one takes our nonce.
#[tokio::test]
async fn between_giving_up_and_going_on() {
    let mut mortal = Mortal::new();
    let (tenant, token) = mortal.tenant();
    let stack = &mortal.stack;
    stack.stops_mining().await;
    let next = stack.next_nonce().await;
    let strangers = stack.another_program_sends(next, 10 * GWEI).await;
    let behind = Zama::new(stack, tenant.clone(), token.clone()).submit(&factor(91)).await.id;
    until("ours is written down", async || stack.sent().await.pop()).await;
    stack.calls_node("anvil_dropTransaction", json!([strangers])).await;
    mortal.shall_die_after("Filled");
    mortal.stack.mines().await;
    mortal.has_died_after("Filled").await;

    let stack = &mortal.stack;
    let zama = Zama::new(stack, tenant.clone(), token.clone());
    zama.job(behind).completes().await;
    stack.stops_mining().await;
    let overtaken = zama.submit(&factor(93)).await.id;
    let ours = stack.waiting_transaction().await;
    stack.another_program_sends(ours.nonce, 100 * ours.max_fee.max(GWEI)).await;
    mortal.shall_die_after("Overtaken");
    mortal.stack.mines().await;
    mortal.has_died_after("Overtaken").await;

    let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
    zama.job(overtaken).completes().await;
    mortal.stack.confirms_elsewhere(mortal.stack.next_index().await).await;
    mortal.shall_die_after("Abandoned");
    let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
    let taken = zama.submit(&factor(95)).await.id;
    mortal.has_died_after("Abandoned").await;
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.recovers_with_receipts(&[behind, overtaken, taken]).await;
}

#[tokio::test]
async fn while_the_chain_takes_blocks_back_and_while_it_ends_that() {
    let mut mortal = Mortal::new();
    let (tenant, token) = mortal.tenant();
    let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
    let id = zama.submit(&factor(91)).await.id;
    let told = zama.job(id).completes().await;
    mortal.shall_die_after("Lifted");
    let stack = &mortal.stack;
    stack.stops_mining().await;
    stack.reorganises(stack.head().await + 1 - block(&told), &[]).await;
    stack.mines().await;
    mortal.has_died_after("Lifted").await;

    let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
    zama.job(id).was_anchored_again().await;
    mortal.shall_die_after("Finalized");
    // anvil finalizes what is 64 blocks deep.
    mortal.stack.calls_node("anvil_mine", json!(["0x46"])).await;
    mortal.has_died_after("Finalized").await;
    let zama = Zama::new(&mortal.stack, tenant, token);
    assert!(zama.job(id).now().await.blockchain_confirmation.unwrap().finalized);
    let last = zama.submit(&factor(93)).await.id;
    zama.recovers_with_receipts(&[id, last]).await;
}

/// Somebody relays the batch meanwhile: what it would have sent is there already.
#[tokio::test]
async fn before_it_sends_what_another_account_confirms() {
    let mut mortal = Mortal::new();
    let (tenant, token) = mortal.tenant();
    mortal.stack.grants_the_role_to(ADMIN).await;
    mortal.shall_die_after("Sealed");
    let id = Zama::new(&mortal.stack, tenant.clone(), token.clone()).submit(&factor(91)).await.id;
    let order = mortal.orders().join("Sealed");
    until("the sender has died", async || (!order.exists()).then_some(())).await;
    mortal.worker = None;
    let call = mortal.stack.call_of_the_sealed_batch().await;
    mortal.stack.relays(ADMIN, &call, 100 * GWEI).await;
    until("the batch is on chain", async || (!mortal.stack.confirmed_indices().await.is_empty()).then_some(())).await;
    mortal.lives();
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.recovers_with_receipts(&[id]).await;
    assert!(mortal.stack.sent().await.is_empty(), "nothing was sent for it");
}

#[tokio::test]
async fn at_random_while_jobs_run() {
    // 50 by `make chain-at-length`.
    let deaths: usize = std::env::var("ZAMA_DEATHS").ok().and_then(|set| set.parse().ok()).unwrap_or(3);
    let mut chance = Chance::new();
    let mut mortal = Mortal::new();
    let (tenant, token) = mortal.tenant();
    // So that blocks can be taken back from the first turn on, and the registry's stays.
    mortal.stack.calls_node("anvil_mine", json!(["0x46"])).await;
    let mut ids = Vec::new();
    for turn in 0..deaths {
        let before = mortal.stack.sent().await.len();
        for number in 0..4 {
            let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
            ids.push(zama.submit(&factor(1_000_003 + 2 * (4 * turn + number) as u64)).await.id);
        }
        match chance.below(4) {
            // While it seals, estimates or signs.
            0 => {}
            1 => mortal.stack.sends_more_than(before).await,
            2 => mortal.stack.sets_base_fee(u128::from(chance.below(20)) * GWEI).await,
            _ => mortal.stack.reorganises(1 + chance.below(3), &[]).await,
        }
        // Of the three seconds in which a batch that was sent is mined and becomes deep.
        tokio::time::sleep(Duration::from_millis(chance.below(3_000))).await;
        mortal.lives();
        let zama = Zama::new(&mortal.stack, tenant.clone(), token.clone());
        within_a_minute("the jobs of the turns before are complete", async || {
            let jobs = join_all(ids[..4 * turn].iter().map(|id| zama.job(*id).now())).await;
            jobs.iter().all(|job| job.status == JobStatus::Completed).then_some(())
        })
        .await;
    }
    let zama = Zama::new(&mortal.stack, tenant, token);
    zama.recovers_with_receipts(&ids).await;
}
