//! What a client does: a tenant of its own on a stack, and the REST API's verbs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jobs::quote::Quote;
use jobs::wire::{Job, JobPage};
use jobs::{JobId, JobStatus};
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::job::JobHandle;
use super::patience::{until, within_a_minute};
use super::stack::Stack;

/// What a completed plain job is billed for.
pub const BILLED: [&str; 4] = ["chain_confirmations", "compute_units", "jobs_completed", "jobs_submitted"];

/// A submission: the prime factors of a number.
pub fn factor(number: u64) -> Value {
    json!({
        "type": "compute",
        "payload": {"algorithm": "prime_factorization", "input": {"number": number}, "parameters": {"timeout": 300}},
        "priority": "normal",
        "use_fhe": false
    })
}

/// A submission that has a checkpoint on its way: two primes of 64 bits.
pub fn long_factor() -> Value {
    let mut body = factor(0);
    body["payload"]["input"]["number"] = "340282366920938460843936948965011886881".into();
    body
}

/// A submission under a quote of it.
pub fn under(quote: &Quote, body: &Value) -> Value {
    let mut body = body.clone();
    body["quote_id"] = json!(quote.quote_id);
    body
}

pub struct Zama<'a> {
    pub stack: &'a Stack,
    pub tenant: String,
    pub token: String,
    api: String,
    http: reqwest::Client,
}

impl<'a> Zama<'a> {
    pub fn new(stack: &'a Stack, tenant: String, token: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        // The server closes what is idle; whoever writes at that moment hears nothing.
        let http = http.pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
        Self { stack, tenant, token, api: stack.api.clone(), http }
    }

    /// The same client, of another process of the API.
    pub fn through(&self, api: &str) -> Zama<'a> {
        let (tenant, token) = (self.tenant.clone(), self.token.clone());
        Zama { stack: self.stack, tenant, token, api: api.to_owned(), http: self.http.clone() }
    }

    /// A request that may find nobody.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], None).await.unwrap()
    }

    /// Submits and is accepted.
    pub async fn submit(&self, body: &Value) -> JobHandle<'_> {
        let answer = self.posts(body, &[]).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        self.job(answer.job_id())
    }

    /// Submits with a key; the answer may be anything.
    pub async fn submits_with_key(&self, key: &str, body: &Value) -> Answer {
        self.posts(body, &[("idempotency-key", key)]).await
    }

    /// Submits as many different jobs and is accepted each time, at the first try.
    pub async fn submits_at_once(&self, count: usize) -> Vec<JobHandle<'_>> {
        join_all((1_000_003..).take(count).map(async |number| self.submit(&factor(number)).await)).await
    }

    /// What a submission would cost at most.
    pub async fn quotes(&self, body: &Value) -> Quote {
        let answer = self.ask(Method::POST, "/v1/jobs/quote", &[], Some(body)).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        serde_json::from_value(answer.body).unwrap()
    }

    pub async fn posts(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, "/v1/jobs", headers, Some(body)).await.unwrap()
    }

    /// Submits with a key, again and again as a client does whose answer was 503 or none.
    pub async fn insists(&self, key: &str, body: &Value) -> (JobId, Vec<Answer>) {
        let mut refused = Vec::new();
        let accepted = until("the submission is accepted", async || {
            let answer = self.ask(Method::POST, "/v1/jobs", &[("idempotency-key", key)], Some(body)).await.ok()?;
            if answer.status == 202 {
                return Some(answer.job_id());
            }
            refused.push(answer);
            None
        });
        (accepted.await, refused)
    }

    pub fn job(&self, id: JobId) -> JobHandle<'_> {
        JobHandle::new(self, id)
    }

    /// All jobs of the tenant, newest first.
    pub async fn jobs(&self) -> Vec<Job> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.get(&format!("/v1/jobs?limit=100{cursor}")).await;
            let page: JobPage = serde_json::from_value(answer.body).unwrap();
            all.extend(page.data);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Waits until the tenant has as many jobs in a state.
    pub async fn has(&self, count: usize, status: &str) {
        until(&format!("{count} jobs are {status}"), async || {
            let answer = self.ask(Method::GET, &format!("/v1/jobs?limit=100&status={status}"), &[], None).await.ok()?;
            // A page of a hundred tells enough: beyond it the whole list is counted.
            let listed = answer.body["data"].as_array()?.len();
            let listed = if listed < 100 { listed } else { self.count(status).await };
            (listed == count).then_some(())
        })
        .await;
    }

    async fn count(&self, status: &str) -> usize {
        self.jobs().await.iter().filter(|job| job.status.as_str() == status).count()
    }

    /// The chain serves again: within a minute each of these jobs is COMPLETED, and then the books agree.
    pub async fn recovers(&self, ids: &[JobId]) {
        // One is looked at after the other: hundreds who look at once would hold up what they wait for.
        let mut left = ids;
        within_a_minute("the jobs go on", async || {
            while let [first, others @ ..] = left {
                (self.job(*first).now().await.status == JobStatus::Completed).then_some(())?;
                left = others;
            }
            Some(())
        })
        .await;
        self.all_complete_confirmed_and_billed_once(ids).await;
    }

    /// [`Self::recovers`], and what each job's receipt says verifies on the chain that is there.
    pub async fn recovers_with_receipts(&self, ids: &[JobId]) {
        self.recovers(ids).await;
        for id in ids {
            self.stack.verifies_at_last(&self.job(*id)).await;
        }
    }

    /// The books agree: each of these jobs is COMPLETED, its bit was set by one event of the registry, and each of its
    /// usage rows is one event in the billing system.
    pub async fn all_complete_confirmed_and_billed_once(&self, ids: &[JobId]) {
        let mut ended = Vec::with_capacity(ids.len());
        for id in ids {
            ended.push(self.job(*id).completes().await);
        }
        let indices: Vec<u64> = ended.iter().map(super::job::index).collect();
        assert_eq!(indices.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an index was given twice");
        let on_chain = self.stack.confirmed_indices().await;
        for index in indices {
            let times = on_chain.iter().filter(|confirmed| **confirmed == index).count();
            assert_eq!(times, 1, "index {index} was confirmed {times} times");
        }
        self.stack.has_confirmed_no_abandoned_batch().await;
        for id in ids {
            let rows = self.job(*id).is_billed().await;
            let metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
            assert_eq!(metrics, BILLED, "{rows:?}");
        }
        let events = self.stack.lago_events(&self.tenant).await;
        for id in ids {
            for metric in BILLED {
                let transaction = format!("{id}:{metric}:0");
                let times = events.iter().filter(|event| event["transaction_id"] == transaction.as_str()).count();
                assert_eq!(times, 1, "{transaction} stands {times} times in the billing system");
            }
        }
    }
}
