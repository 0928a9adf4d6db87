//! Sends rows of the open period, batch by batch, and notes what the billing system made of each.

use std::time::{Duration, Instant};

use anyhow::Result;
use billing::{Delivery, ExternalId, LARGEST_BATCH};
use chrono::{DateTime, Utc};
use jobs::usage::Metric;
use store::usage::UsageRow;

use super::BillingDelivery;
use super::event::event;

/// How long a metric is believed to be there.
const METRIC_TTL: Duration = Duration::from_secs(60);
/// Within which a row is sent after its period was found open.
pub(super) const FRESH: Duration = Duration::from_secs(30);

impl BillingDelivery {
    /// Sends rows of the open period; tells how many the billing system has.
    pub(super) async fn send_rows(
        &self,
        tenant: &str,
        account: &ExternalId,
        rows: Vec<(UsageRow, DateTime<Utc>)>,
        looked: Instant,
    ) -> Result<u32> {
        let mut known = 0_u32;
        let open = self.of_known_metrics(rows).await?;
        // Noted batch by batch: over a bad connection many in a row would never all be taken.
        for batch in open.chunks(LARGEST_BATCH) {
            // The period may be over by now: what is left is looked at again.
            if looked.elapsed() > FRESH {
                break;
            }
            let events =
                batch.iter().map(|(row, billed_at)| event(row, account, *billed_at)).collect::<Result<Vec<_>>>()?;
            let outcomes = self.lago.send(&events).await?;
            if outcomes.contains(&Delivery::NoSubscription) {
                // It has ended since it was asked for: the next turn sees that.
                self.forget_period(tenant).await;
            }
            let ids: Vec<String> = batch.iter().map(|(row, _)| row.id.clone()).collect();
            known = known.saturating_add(self.note(tenant, &ids, outcomes).await?);
        }
        Ok(known)
    }

    /// Rows whose metric the billing system has; the others are dead letters, since it would take them and bill them never.
    async fn of_known_metrics(&self, rows: Vec<(UsageRow, DateTime<Utc>)>) -> Result<Vec<(UsageRow, DateTime<Utc>)>> {
        let mut known = Vec::with_capacity(rows.len());
        for (row, billed_at) in rows {
            let metric: Metric = row.metric.parse().map_err(anyhow::Error::msg)?;
            if self.has_metric(metric).await? {
                known.push((row, billed_at));
            } else {
                self.bury(
                    &row.id,
                    &format!("Lago has no metric {}: zama-jobs billing setup makes it", metric.as_str()),
                )
                .await?;
            }
        }
        Ok(known)
    }

    async fn has_metric(&self, metric: Metric) -> Result<bool> {
        if self.metrics.lock().await.get(&metric).is_some_and(|seen| seen.elapsed() < METRIC_TTL) {
            return Ok(true);
        }
        // Nobody waits behind this call.
        let is_there = self.lago.has_metric(metric).await?;
        if is_there {
            self.metrics.lock().await.insert(metric, Instant::now());
        }
        Ok(is_there)
    }

    async fn note(&self, tenant: &str, ids: &[String], outcomes: Vec<Delivery>) -> Result<u32> {
        let mut delivered = Vec::new();
        let (mut unsubscribed, mut is_over) = (0, false);
        for (id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Delivery::Delivered => delivered.push(id.clone()),
                Delivery::DeadLetter { reason } => self.bury(id, &reason).await?,
                Delivery::NoSubscription => unsubscribed += 1,
                // Another process has put the tenant on another plan: the row's period is over, and that is seen next time.
                Delivery::BeforeStart => is_over = true,
            }
        }
        if is_over {
            self.forget_period(tenant).await;
        }
        self.note_delivered(&delivered).await?;
        anyhow::ensure!(unsubscribed == 0, "{unsubscribed} rows have no subscription");
        Ok(u32::try_from(delivered.len()).unwrap_or(u32::MAX))
    }
}
