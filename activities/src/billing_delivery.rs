//! Ledger rows to the billing system: what the `meter` and `report_usage` activities share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use billing::{Delivery, ExternalId, LagoClient, UsageEvent};
use chrono::{DateTime, Utc};
use store::PgPool;
use store::usage::{self, UsageRow};
use tokio::sync::Mutex;

/// How long the start of an open period is believed.
const PERIOD_TTL: Duration = Duration::from_secs(60);

/// The way to the billing system.
pub struct BillingDelivery {
    pub pool: PgPool,
    pub lago: Arc<LagoClient>,
    /// Plan of a tenant that billing does not know yet.
    pub default_plan: String,
    periods: Mutex<HashMap<String, (Instant, DateTime<Utc>)>>,
}

impl BillingDelivery {
    #[must_use]
    pub fn new(pool: PgPool, lago: Arc<LagoClient>, default_plan: String) -> Self {
        Self { pool, lago, default_plan, periods: Mutex::default() }
    }

    /// Sends rows, and notes what became of each. Tells how many were delivered. A tenant whose rows cannot be
    /// delivered does not hold back the others.
    ///
    /// # Errors
    /// Database or billing system away, or a tenant without a subscription: rows that were not noted are sent again,
    /// and found to be duplicates.
    pub async fn deliver(&self, rows: Vec<UsageRow>) -> Result<u32> {
        let mut by_tenant: BTreeMap<String, Vec<UsageRow>> = BTreeMap::new();
        for row in rows {
            by_tenant.entry(row.tenant.clone()).or_default().push(row);
        }
        let mut delivered = 0;
        let mut failed = None;
        for (tenant, rows) in by_tenant {
            match self.deliver_tenant(&tenant, rows).await {
                Ok(count) => delivered += count,
                Err(error) => {
                    tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "usage was not delivered");
                    failed.get_or_insert_with(|| error.context(format!("usage of {tenant}")));
                }
            }
        }
        failed.map_or(Ok(delivered), Err)
    }

    async fn deliver_tenant(&self, tenant: &str, rows: Vec<UsageRow>) -> Result<u32> {
        let account = ExternalId::parse(tenant)?;
        self.ensure_account(tenant, &account).await?;
        let period_start = self.period_start(tenant, &account).await?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        // Durable before the first send: a repeat must be the same event, whatever day it is by then.
        let frozen = usage::freeze(&self.pool, &ids, period_start).await?;
        let events = rows
            .iter()
            .map(|row| {
                let billed_at = frozen.get(&row.id).context("the row is gone")?;
                Ok(UsageEvent {
                    transaction_id: row.id.clone(),
                    external_subscription_id: account.clone(),
                    code: row.metric.parse().map_err(anyhow::Error::msg)?,
                    timestamp: billed_at.timestamp(),
                    value: row.units.to_string().parse()?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let outcomes = self.lago.send(&events).await?;
        self.note(&ids, outcomes).await
    }

    async fn note(&self, ids: &[String], outcomes: Vec<Delivery>) -> Result<u32> {
        let mut delivered = Vec::new();
        let mut unsubscribed = 0;
        for (id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Delivery::Delivered => delivered.push(id.clone()),
                Delivery::DeadLetter { reason } => {
                    tracing::error!(usage.id = id, reason, "the billing system will never take this row");
                    usage::dead(&self.pool, id, &reason).await?;
                }
                Delivery::NoSubscription => unsubscribed += 1,
            }
        }
        usage::delivered(&self.pool, &delivered).await?;
        anyhow::ensure!(unsubscribed == 0, "{unsubscribed} rows have no subscription");
        Ok(u32::try_from(delivered.len()).unwrap_or(u32::MAX))
    }

    /// Nothing is sent until billing has confirmed the tenant's subscription.
    ///
    /// # Errors
    /// Database or billing system away, or no such tenant.
    pub async fn ensure_account(&self, tenant: &str, account: &ExternalId) -> Result<()> {
        let known = store::tenants::find(&self.pool, tenant).await?.context("there is no such tenant")?;
        if known.billing_ready {
            return Ok(());
        }
        anyhow::ensure!(!known.is_sandbox, "{tenant} is a sandbox, which is never billed");
        let plan = ExternalId::parse(&self.default_plan)?;
        billing::ensure_tenant(&self.lago, account, &plan, known.created_at).await?;
        store::tenants::billing_is_ready(&self.pool, tenant).await?;
        Ok(())
    }

    async fn period_start(&self, tenant: &str, account: &ExternalId) -> Result<DateTime<Utc>> {
        if let Some((seen, start)) = self.periods.lock().await.get(tenant)
            && seen.elapsed() < PERIOD_TTL
        {
            return Ok(*start);
        }
        let start = self.lago.current_usage(account).await?.from;
        self.periods.lock().await.insert(tenant.to_owned(), (Instant::now(), start));
        Ok(start)
    }
}
