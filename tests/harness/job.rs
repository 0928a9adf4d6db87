//! One job of a client: what it does and what is done to it.

use jobs::receipt::Receipt;
use jobs::wire::Job;
use jobs::{JobId, JobStatus};
use reqwest::Method;
use serde::Deserialize;

use super::answer::Answer;
use super::patience::{until, within_a_minute};
use super::zama::Zama;

/// A row of the usage ledger, as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct UsageRow {
    pub id: String,
    pub metric: String,
    pub units: u64,
    pub gas: Option<u64>,
    pub delivered_at: Option<String>,
}

#[derive(Clone, Copy)]
pub struct JobHandle<'a> {
    zama: &'a Zama<'a>,
    pub id: JobId,
}

/// Index of a confirmed job.
pub fn index(job: &Job) -> u64 {
    u64::try_from(job.blockchain_confirmation.as_ref().expect("the job is confirmed").index).unwrap()
}

/// The block in which a confirmed job's batch stands.
pub fn block(job: &Job) -> u64 {
    let confirmation = job.blockchain_confirmation.as_ref().expect("the job is confirmed");
    u64::try_from(confirmation.block_number.expect("its batch is on chain")).unwrap()
}

impl<'a> JobHandle<'a> {
    pub fn new(zama: &'a Zama<'a>, id: JobId) -> Self {
        Self { zama, id }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/jobs/{}{rest}", self.id)
    }

    pub async fn now(self) -> Job {
        self.looks().await.expect("the job can be read")
    }

    /// The job; none while the API or what it needs is away.
    async fn looks(self) -> Option<Job> {
        let answer = self.zama.ask(Method::GET, &self.path(""), &[], None).await.ok()?;
        assert!(answer.status == 200 || answer.status >= 500, "{answer:?}");
        serde_json::from_value(answer.body).ok()
    }

    pub async fn completes(self) -> Job {
        self.reaches(JobStatus::Completed).await
    }

    pub async fn fails(self) -> Job {
        self.reaches(JobStatus::Failed).await
    }

    /// Waits for a state; another end than that fails at once.
    pub async fn reaches(self, status: JobStatus) -> Job {
        until(&format!("job {} is {status}", self.id), async || {
            let job = self.looks().await?;
            assert!(job.status == status || !job.status.is_terminal(), "not {status}: {job:#?}");
            (job.status == status).then_some(job)
        })
        .await
    }

    /// Waits until its computation has done something.
    pub async fn computes(self) {
        until(&format!("job {} computes", self.id), async || {
            let job = self.looks().await?;
            assert!(!job.status.is_terminal(), "it ended: {job:#?}");
            (job.status == JobStatus::Processing && job.progress.percent > 0.0).then_some(())
        })
        .await;
    }

    /// Waits until its computation tells this stage.
    pub async fn tells(self, stage: &str) -> Job {
        until(&format!("job {} tells {stage}", self.id), async || {
            let job = self.looks().await?;
            assert!(!job.status.is_terminal(), "it ended: {job:#?}");
            (job.progress.stage == stage).then_some(job)
        })
        .await
    }

    pub async fn cancel(self) -> Answer {
        self.zama.ask(Method::POST, &self.path("/cancel"), &[], None).await.unwrap()
    }

    pub async fn receipt(self) -> Receipt {
        let answer = self.zama.get(&self.path("/receipt")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_value(answer.body).unwrap()
    }

    /// The usage rows, by metric.
    pub async fn usage(self) -> Vec<UsageRow> {
        let answer = self.zama.get(&format!("/v1/usage?job_id={}", self.id)).await;
        let mut rows: Vec<UsageRow> = serde_json::from_value(answer.body["data"].clone()).unwrap();
        rows.sort_by(|one, other| one.metric.cmp(&other.metric));
        rows
    }

    /// Waits until every usage row was delivered.
    pub async fn is_billed(self) -> Vec<UsageRow> {
        until(&format!("usage of job {} is delivered", self.id), async || {
            let rows = self.usage().await;
            let all = !rows.is_empty() && rows.iter().all(|row| row.delivered_at.is_some());
            all.then_some(rows)
        })
        .await
    }

    /// Within a minute the last that its client was told is another block of its batch.
    pub async fn was_anchored_again(self) {
        use sqlx::Row;
        let query = "SELECT event_type FROM job_events WHERE job_id = $1 ORDER BY xid DESC, id DESC LIMIT 1";
        within_a_minute("the job's batch stands in another block", async || {
            let newest = self.zama.stack.rows(sqlx::query(query).bind(self.id.0)).await;
            (newest[0].get::<&str, _>("event_type") == "job.reanchored").then_some(())
        })
        .await;
    }

    /// How often its client was told that it is COMPLETED.
    pub async fn completions(self) -> usize {
        let query = "SELECT 1 FROM job_events WHERE job_id = $1 AND data->>'status' = 'COMPLETED'";
        self.zama.stack.rows(sqlx::query(query).bind(self.id.0)).await.len()
    }

    /// The workflow that the database names for the job now.
    pub async fn workflow_id(self) -> String {
        use sqlx::Row;
        let query = sqlx::query("SELECT current_workflow_id FROM jobs WHERE id = $1").bind(self.id.0);
        self.zama.stack.rows(query).await[0].get(0)
    }
}
