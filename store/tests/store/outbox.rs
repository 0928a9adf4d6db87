//! Jobs for tests: admitted as the API admits them, and moved on by the store's own transitions.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::{JobId, JobStatus, QuoteId, Step, TenantId, UserId, submission};
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::StoreError;
use store::admission::{Admission, Admitted, admit};
use store::audit::{Draft, Note};
use store::batches::Registry;
use store::cancel::WorkflowRun;
use store::compute::{self, Computed};
use store::credits::Prepaid;
use store::jobs::Reader;
use store::limits::AdmissionLimits;
use store::sealing::{self, SealPolicy};
use store::starts;
use store::transition;
use uuid::Uuid;

use crate::database::TestDatabase;

/// An entry of the audit log that no test is about.
pub fn note_of(tenant: &TenantId) -> Note {
    Note::by_operator(tenant, "test", "/".to_owned(), json!({}))
}

/// The same of an operator's command, about whom the store finds.
pub fn draft() -> Draft {
    Draft::by_operator("test", json!({}))
}

/// The registry that batches of [`Outbox::seal`] are for.
pub const REGISTRY: Registry = Registry { chain_id: 31337, address: [9; 20] };

pub struct Outbox {
    pub pool: PgPool,
    pub user: UserId,
    /// How far the clock of whoever admits is ahead.
    pub ahead: TimeDelta,
    database: Arc<TestDatabase>,
}

/// A submission to be admitted.
#[derive(Clone, Copy)]
pub struct New<'a> {
    pub tenant: &'a str,
    pub key: &'a str,
    pub priority: &'a str,
    pub deadline_ms: Option<i64>,
    pub limits: AdmissionLimits,
    /// The job is submitted under it.
    pub quote: Option<QuoteId>,
    pub prepaid: Option<Prepaid<'a>>,
}

/// The user's in this tenant: an address is one user's.
fn address(tenant: &TenantId) -> [u8; 20] {
    std::array::from_fn(|at| tenant.as_str().as_bytes().get(at).copied().unwrap_or(1))
}

impl Default for New<'_> {
    fn default() -> Self {
        let limits = AdmissionLimits::default();
        Self { tenant: "acme", key: "", priority: "normal", deadline_ms: None, limits, quote: None, prepaid: None }
    }
}

impl Outbox {
    pub async fn new() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool.clone();
        Self { pool, user: "ada".parse().unwrap(), ahead: TimeDelta::zero(), database: Arc::new(database) }
    }

    /// The same database through a pool of its own, as another process has.
    pub fn through_own_pool(&self) -> Self {
        self.through(self.options())
    }

    /// The same database through connections of another kind.
    pub fn through(&self, options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(30));
        let pool = pool.connect_lazy_with(options);
        Self { pool, user: self.user.clone(), ahead: self.ahead, database: self.database.clone() }
    }

    /// The same database as the processes are connected to it.
    #[allow(dead_code, reason = "not every test binary asks for it")]
    pub async fn as_application(&self) -> Self {
        self.through(self.database.application().await)
    }

    /// Where the database is.
    pub fn options(&self) -> PgConnectOptions {
        self.database.options()
    }

    /// Admits a job; without a key it gets one of its own.
    pub async fn admit(&self, new: New<'_>) -> (JobId, Admitted) {
        let (job, admitted) = self.tries(new).await;
        (job, admitted.unwrap())
    }

    /// The same, where the database may not let it.
    pub async fn tries(&self, new: New<'_>) -> (JobId, Result<Admitted, StoreError>) {
        let tenant = self.tenant(new.tenant).await;
        let now = Utc::now() + self.ahead;
        let deadline = new.deadline_ms.map(|ms| (now + chrono::Duration::milliseconds(ms)).to_rfc3339());
        let mut body = json!({"type": "compute", "priority": new.priority, "deadline": deadline,
                              "payload": {"algorithm": "prime_factorization", "input": {"number": 6}}});
        if let Some(quote) = new.quote {
            body["quote_id"] = json!(quote);
        }
        let submission = submission::read(&body, now, "https://api.example.com").unwrap();
        let key = if new.key.is_empty() { jobs::IdempotencyKey::generate() } else { new.key.parse().unwrap() };
        let job_id = JobId::generate();
        let admission = Admission {
            job_id,
            tenant: &tenant,
            user: &self.user,
            key: &key,
            submission: &submission,
            limits: new.limits,
            prepaid: new.prepaid,
            created_at: now,
            estimated_completion: now,
            request_id: "r",
            response: "{}",
            audit: &note_of(&tenant),
        };
        (job_id, admit(&self.pool, admission).await)
    }

    /// A tenant with the user.
    pub async fn tenant(&self, name: &str) -> TenantId {
        let tenant: TenantId = name.parse().unwrap();
        store::tenants::ensure_tenant(&self.pool, &tenant, "development").await.unwrap();
        store::tenants::ensure_user(&self.pool, &tenant, &self.user, "developer", address(&tenant)).await.unwrap();
        tenant
    }

    pub async fn job(&self) -> JobId {
        self.admit(New::default()).await.0
    }

    pub async fn job_of(&self, tenant: &str, priority: &str) -> JobId {
        self.admit(New { tenant, priority, ..New::default() }).await.0
    }

    pub async fn begin(&self, job: JobId) {
        assert_eq!(transition::begin(&self.pool, job, None).await.unwrap().step, Step::Compute);
    }

    /// Notes a start, as the dispatcher does.
    pub async fn started(&self, job: JobId, run: &str) {
        let find = "SELECT current_workflow_id FROM jobs WHERE id = $1";
        let workflow_id = sqlx::query_scalar(find).bind(job.0).fetch_one(&self.pool).await.unwrap();
        let run = WorkflowRun { workflow_id, run_id: run.to_owned() };
        starts::confirm(&self.pool, &[(job, run)]).await.unwrap();
    }

    pub async fn finish(&self, job: JobId) -> Step {
        let computed =
            Computed { bytes: b"{}", hash: [2; 32], media_type: "application/json", compute_units: 5, salt: [3; 32] };
        compute::finish(&self.pool, job, &computed).await.unwrap()
    }

    /// A job that waits for its batch.
    pub async fn confirming(&self) -> JobId {
        let job = self.job().await;
        self.begin(job).await;
        assert_eq!(self.finish(job).await, Step::Confirm);
        job
    }

    pub async fn seal(&self, max_jobs: i64) -> Option<(Uuid, usize)> {
        let policy = SealPolicy { on: REGISTRY, max_jobs, max_age_seconds: 0.0 };
        sealing::seal(&self.pool, &policy, 1).await.unwrap()
    }

    pub async fn status(&self, job: JobId) -> JobStatus {
        compute::status(&self.pool, job).await.unwrap()
    }

    pub async fn cancel(&self, job: JobId) -> store::cancel::Cancelled {
        let tenant = "acme".parse().unwrap();
        let reader = Reader { tenant: &tenant, user: Some(&self.user) };
        store::cancel::request(&self.pool, reader, job, &note_of(&tenant)).await.unwrap()
    }

    /// Usage of a job as metric and units, by metric.
    pub async fn usage(&self, job: JobId) -> Vec<(String, i64)> {
        let rows = "SELECT metric, units FROM usage_ledger WHERE job_id = $1 ORDER BY metric";
        sqlx::query_as(rows).bind(job.0).fetch_all(&self.pool).await.unwrap()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    /// Changes the ledger, as a restored backup does and nothing else can.
    #[allow(dead_code, reason = "not every test binary restores")]
    pub async fn rewrite_ledger(&self, sql: &'static str) {
        self.execute("ALTER TABLE usage_ledger DISABLE TRIGGER USER").await;
        self.execute(sql).await;
        self.execute("ALTER TABLE usage_ledger ENABLE TRIGGER USER").await;
    }
}
