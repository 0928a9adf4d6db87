//! What workers and the batcher would do to a job, by the store's own transitions.

use jobs::credits::Told;
use jobs::usage::Metric;
use jobs::{JobId, Step};
use sha2::{Digest as _, Sha256};
use store::audit::Note;
use store::batches::{self, Anchor, Gas, Registry};
use store::cancel::WorkflowRun;
use store::compute::{self, Computed};
use store::credits::accounts::{self, Account};
use store::credits::top_ups::{self, Kind, NewTopUp};
use store::sealing::{self, SealPolicy};
use store::transactions::InBlock;
use store::transition::{self, Ending, Units};
use uuid::Uuid;

use super::{TestApp, by_operator};

/// What [`TestApp::finish`] computes.
pub const RESULT: &str = r#"{"number":"104729","factors":[{"prime":"104729","exponent":1}]}"#;

/// What a batch of [`TestApp::confirm`] costs.
pub const GAS: Gas = Gas { used: 70_001, price: 1_000_000_007 };

const REGISTRY: Registry = Registry { chain_id: 31337, address: [0x5f; 20] };

fn id(job: &str) -> JobId {
    job.parse().unwrap()
}

impl TestApp {
    /// PENDING to PROCESSING.
    pub async fn begin(&self, job: &str) {
        assert_eq!(transition::begin(&self.pool, id(job), None).await.unwrap().step, Step::Compute);
    }

    /// PENDING to CONFIRMING, with [`RESULT`].
    pub async fn finish(&self, job: &str) {
        self.finish_with(job, RESULT.as_bytes(), "application/json").await;
    }

    pub async fn finish_with(&self, job: &str, bytes: &[u8], media_type: &str) {
        self.begin(job).await;
        let hash = Sha256::digest(bytes).into();
        let computed = Computed { bytes, hash, media_type, compute_units: 2, salt: [7; 32] };
        assert_eq!(compute::finish(&self.pool, id(job), &computed).await.unwrap(), Step::Confirm);
    }

    /// Seals what waits.
    pub async fn seal(&self) -> Uuid {
        let policy = SealPolicy { on: REGISTRY, max_jobs: 100, max_age_seconds: 0.0 };
        let (batch, _) = sealing::seal(&self.pool, &policy, 1).await.unwrap().expect("something waits");
        batch
    }

    /// The batch's jobs become COMPLETED.
    pub async fn confirm(&self, batch: Uuid) {
        let anchor = Anchor { tx_hash: [0x4c; 32], block_number: 12, block_hash: [0x5b; 32], gas: Some(GAS) };
        batches::complete(&self.pool, batch, &anchor).await.unwrap();
    }

    /// The chain will not take the batches back.
    pub async fn finalize(&self) {
        let block = InBlock { number: 12, hash: [0x5b; 32] };
        batches::finalize(&self.pool, &REGISTRY, block).await.unwrap();
    }

    /// PENDING to COMPLETED.
    pub async fn complete(&self, job: &str) {
        self.finish(job).await;
        let batch = self.seal().await;
        self.confirm(batch).await;
    }

    /// Notes a workflow run, as the dispatcher does after a start.
    pub async fn started(&self, job: &str, run: &str) {
        let find = "SELECT current_workflow_id FROM jobs WHERE id = $1";
        let workflow_id = sqlx::query_scalar(find).bind(id(job).0).fetch_one(&self.pool).await.unwrap();
        let run = WorkflowRun { workflow_id, run_id: run.to_owned() };
        store::starts::confirm(&self.pool, &[(id(job), run)]).await.unwrap();
    }

    /// From now on failed jobs of the tenant go on chain.
    pub async fn confirms_failed_jobs(&self) {
        let set = store::tenants::FailedJobs::Confirmed;
        let tenant = "acme".parse().unwrap();
        let note = Note::by_operator(&tenant, "test", String::new(), serde_json::json!({}));
        store::tenants::set_failed_jobs(&self.pool, &tenant, set, &note).await.unwrap().expect("a tenant");
    }

    /// Credits that an operator gives a tenant, and that the billing system does not have yet.
    pub async fn granted(&self, tenant: &str, key: &str, amount_cents: i64) -> Uuid {
        let (id, tenant) = (Uuid::now_v7(), tenant.parse().unwrap());
        let (key, kind) = (&key.parse().unwrap(), Kind::Granted);
        let new = NewTopUp {
            id,
            tenant: &tenant,
            key,
            amount_cents,
            currency: "EUR",
            kind,
            requested_by: None,
            most_open: None,
        };
        top_ups::request(&self.pool, &new, &by_operator(&tenant)).await.unwrap();
        id
    }

    /// The billing system tells of acme's account: its balance, and what it has counted by now at a cent a unit.
    pub async fn told(&self, balance_cents: i64, units: &[(Metric, i64)]) {
        let asking = accounts::asking(&self.pool, "acme").await.unwrap();
        let told = Told {
            currency: "EUR".to_owned(),
            plan: "team".to_owned(),
            balance_cents,
            usage_cents: units.iter().map(|(_, units)| units).sum(),
            units: units.iter().copied().collect(),
            owed_cents: 0,
            as_of: asking.as_of,
        };
        let period_from = asking.as_of - chrono::TimeDelta::days(20);
        let account = Account { told, period_from, owed: Vec::new(), rows_from: asking.rows_from };
        accounts::keep(&self.pool, "acme", &account).await.unwrap();
    }

    pub async fn fail(&self, job: &str, code: jobs::ErrorCode, detail: &str) {
        let ending = Ending::Failed { code, detail: detail.to_owned() };
        transition::conclude(&self.pool, id(job), &ending, Units::NONE).await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }
}
