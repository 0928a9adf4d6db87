//! A database with usage, a stand-in, and what lies between.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use activities::ReportUsage;
use activities::billing_delivery::BillingDelivery;
use activities::reconciliation::{Deadlines, Month, OVERDUE_AFTER, PATIENCE as PRODUCT, Reconciler, TenantReport};
use billing::reconciliation::Line;
use billing::{Catalogue, ExternalId, LagoClient, Patience, setup, standin};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use store::limits::rules::{self, Change};
use store::usage;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::outbox::{Outbox, note_of};

pub const KEY: &str = "test-key";
pub const ACME: &str = "acme";
/// Several, by name.
pub const TENANTS: [&str; 3] = ["abel", ACME, "globex"];
/// As many repeats as the product makes, with next to no pause.
pub const PATIENCE: Patience = Patience { pause: Duration::from_millis(1), ..PRODUCT };

pub struct Stage {
    pub outbox: Outbox,
    /// Straight to the stand-in.
    pub lago: Arc<LagoClient>,
    pub origin: String,
    pub folder: TempDir,
    /// The stand-in's data file.
    journal: PathBuf,
}

/// A stand-in on a data file: where it is, and the way to it.
async fn stand_in(data: PathBuf) -> (String, Arc<LagoClient>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(standin::serve(listener, data, KEY.to_owned(), std::future::pending()));
    let lago = Arc::new(LagoClient::new(&origin, KEY).unwrap());
    (origin, lago)
}

/// A whole turn of the reporter over everything that is due; tells whether there was anything.
pub async fn reports(pool: &PgPool, reporter: &ReportUsage) -> bool {
    let is_due = is_due(pool).await;
    // A failure is the next turn's to mend.
    drop(reporter.turn(0.0).await);
    is_due
}

async fn is_due(pool: &PgPool) -> bool {
    !usage::overdue(pool, 0.0, 1).await.unwrap().is_empty()
}

impl Stage {
    /// With the price list, and the tenant acme, which began at `since`.
    pub async fn since(since: DateTime<Utc>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("lago.jsonl");
        let (origin, lago) = stand_in(journal.clone()).await;
        setup(&lago, &Catalogue::standard()).await.unwrap();
        let outbox = Outbox::new().await;
        let stage = Self { outbox, lago, origin, folder, journal };
        let tenant = "INSERT INTO tenants (id, plan, created_at) VALUES ('acme', 'team', $1)";
        sqlx::query(tenant).bind(since).execute(stage.pool()).await.unwrap();
        stage
    }

    /// Acme began a moment ago.
    pub async fn new() -> Self {
        Self::since(Utc::now() - TimeDelta::minutes(1)).await
    }

    /// The same, with all of [`TENANTS`].
    pub async fn of_several() -> Self {
        let stage = Self::new().await;
        let others = "INSERT INTO tenants (id, plan, created_at)
                      SELECT other.id, t.plan, t.created_at
                        FROM tenants t CROSS JOIN unnest($1::text[]) AS other (id)
                       WHERE t.id = 'acme' AND other.id <> t.id";
        sqlx::query(others).bind(TENANTS.map(str::to_owned).to_vec()).execute(stage.pool()).await.unwrap();
        stage
    }

    /// From now on everything goes to another stand-in, on this one's data as somebody changed them.
    pub async fn goes_on_with(&mut self, change: impl FnOnce(String) -> String) {
        let data = std::fs::read_to_string(&self.journal).unwrap();
        self.journal.set_extension("next.jsonl");
        std::fs::write(&self.journal, change(data)).unwrap();
        (self.origin, self.lago) = stand_in(self.journal.clone()).await;
    }

    pub fn pool(&self) -> &PgPool {
        &self.outbox.pool
    }

    /// What delivers over the way to `origin`.
    pub fn delivery_to(&self, origin: &str) -> BillingDelivery {
        let lago = Arc::new(LagoClient::new(origin, KEY).unwrap());
        let mut delivery = BillingDelivery::new(self.pool().clone(), lago, "developer".to_owned());
        // No process of the API is there that might not have heard of a close.
        delivery.ends_after = Duration::ZERO;
        delivery
    }

    pub fn delivery(&self) -> BillingDelivery {
        self.delivery_to(&self.origin)
    }

    /// The reporter, over the way to `origin`.
    pub fn reporter_to(&self, origin: &str) -> ReportUsage {
        ReportUsage { billing: Some(Arc::new(self.delivery_to(origin))) }
    }

    /// Usage of acme that occurred at `at`.
    pub async fn used(&self, name: &str, units: i64, at: DateTime<Utc>) -> String {
        let id = format!("{name}:compute_units:0");
        let row = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
                   VALUES ($1, 'acme', 'compute_units', '0', $2, $3)";
        sqlx::query(row).bind(&id).bind(units).bind(at).execute(self.pool()).await.unwrap();
        id
    }

    /// What the reporter delivers in a turn, of everything that is due; tells whether there was anything.
    pub async fn turn(&self, delivery: &BillingDelivery) -> bool {
        let is_due = is_due(self.pool()).await;
        // A failure is the next turn's to mend.
        drop(delivery.deliver_overdue(0.0).await);
        is_due
    }

    /// Delivers all that is due, without faults.
    pub async fn delivers(&self) {
        let delivery = self.delivery();
        while self.turn(&delivery).await {}
    }

    /// It awaits invoices for ever: most tests close the months alone that they are about.
    pub fn reconciler(&self) -> Reconciler {
        self.reconciler_awaiting(Duration::MAX)
    }

    /// For so long after a month.
    pub fn reconciler_awaiting(&self, invoiced_within: Duration) -> Reconciler {
        let deadlines = Deadlines { delivered_within: OVERDUE_AFTER, invoiced_within };
        Reconciler::new(Arc::new(self.delivery()), deadlines, PATIENCE)
    }

    pub async fn report(&self, month: Month) -> TenantReport {
        self.reconciler().all(month, Some(ACME)).await.unwrap().remove(0)
    }

    /// Nothing disagrees in a month.
    pub async fn agrees(&self, month: Month) {
        let report = self.report(month).await;
        assert!(!report.has_drifted(), "{report:#?}");
    }

    /// The same of its metrics alone, whether or not acme has a subscription.
    pub async fn agrees_by_metric(&self, month: Month) {
        let report = self.report(month).await;
        assert!(!report.lines.iter().any(Line::has_drifted), "{report:#?}");
    }

    /// Units that Lago bills of acme's compute units in a month, by its invoices and current usage.
    pub async fn billed(&self, month: Month) -> String {
        let report = self.report(month).await;
        let line = report.lines.iter().find(|line| line.metric == "compute_units");
        line.and_then(|line| line.billed.clone()).map_or_else(|| "nothing".to_owned(), |units| units.to_string())
    }

    /// An operator puts acme on another plan.
    pub async fn moves_to(&self, plan: &str) {
        let acme = ACME.parse().unwrap();
        let change = Change { plan: Some(plan.to_owned()), ..Change::default() };
        assert!(rules::change(self.pool(), &acme, &change, &note_of(&acme)).await.unwrap());
    }

    /// An operator closes acme.
    pub async fn loses_acme(&self) {
        let acme = ACME.parse().unwrap();
        store::accounts::close(self.pool(), &acme, &note_of(&acme)).await.unwrap();
    }

    /// Closes a month in the stand-in, as Lago does by its clock.
    pub async fn closes(&self, month: Month) {
        self.lago.close_month_of_stand_in(&month.to_string()).await.unwrap();
    }

    /// The times of all events that the stand-in has, in the order in which it took them: its journal's.
    pub fn arrivals(&self) -> Vec<String> {
        let journal = std::fs::read_to_string(&self.journal).unwrap();
        let changes = journal.lines().flat_map(|line| serde_json::from_str::<Vec<serde_json::Value>>(line).unwrap());
        let events = changes.filter(|record| record["kind"] == "event");
        events.map(|record| record["is"]["timestamp"].as_str().unwrap().to_owned()).collect()
    }

    /// Acme's events that Lago has, read without any code of ours between.
    pub async fn events(&self) -> Vec<serde_json::Value> {
        self.events_of(ACME).await
    }

    async fn events_of(&self, tenant: &str) -> Vec<serde_json::Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut all = Vec::new();
        for page in 1.. {
            let query = format!("external_subscription_id={tenant}&per_page=100&page={page}");
            let url = format!("{}/api/v1/events?{query}", self.origin);
            let answer: serde_json::Value = http.get(url).bearer_auth(KEY).send().await.unwrap().json().await.unwrap();
            let events = answer["events"].as_array().unwrap();
            if events.is_empty() {
                break;
            }
            all.extend(events.iter().cloned());
        }
        all
    }

    /// The same of all tenants, as units by tenant and metric.
    pub async fn event_sums(&self) -> BTreeMap<String, i64> {
        let tenants: Vec<String> =
            sqlx::query_scalar("SELECT id FROM tenants ORDER BY id").fetch_all(self.pool()).await.unwrap();
        let mut sums = BTreeMap::new();
        for tenant in tenants {
            for event in self.events_of(&tenant).await {
                let units: i64 = event["properties"]["value"].as_str().unwrap().parse().unwrap();
                let line = format!("{tenant} {}", event["code"].as_str().unwrap());
                *sums.entry(line).or_default() += units;
            }
        }
        sums
    }
}

pub fn acme() -> ExternalId {
    ExternalId::parse(ACME).unwrap()
}

/// The month that is open.
pub fn this_month() -> Month {
    Month::of(Utc::now())
}
