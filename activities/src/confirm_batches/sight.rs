//! What operators see of the batcher: its report, and the gauges that alarms are made of.

use std::time::Duration;

use alloy::primitives::utils::format_ether;
use anyhow::Result;
use chain::Sender;
use chrono::Utc;
use store::batches::{self, Waiting};
use tokio::sync::watch;
use tokio::time::interval;
use workflows::activities::BatcherReport;

use super::{ConfirmBatches, Shift};

/// How often who waits is told.
const LOOK: Duration = Duration::from_secs(5);

impl ConfirmBatches {
    /// Tells who waits, beside the work: that may hang on a node, and is what others wait for when the chain is away.
    /// While the database is away what it said last grows older. Never ends.
    pub(super) async fn tell_who_waits(&self, report: &watch::Sender<BatcherReport>) -> Result<()> {
        let registry = self.registry()?;
        let mut tick = interval(LOOK);
        let mut last = None;
        loop {
            tick.tick().await;
            match batches::waiting(&self.pool, &registry).await {
                Ok(waiting) => last = Some(waiting),
                Err(error) => tracing::debug!(%error, "who waits is not known"),
            }
            if let Some(waiting) = &last {
                tell(waiting, report);
            }
        }
    }

    pub(super) async fn look_at_balance(&self, sender: &Sender, shift: &Shift) -> Result<()> {
        let balance = sender.balance().await?;
        let is_low = balance < self.batching.low_balance;
        // Exact enough for a gauge; what is paid is counted in wei.
        metrics::gauge!("zama_confirmer_balance_eth").set(format_ether(balance).parse().unwrap_or(0.0));
        metrics::gauge!("zama_confirmer_balance_low").set(if is_low { 1.0 } else { 0.0 });
        let told = format!("{} ETH", format_ether(balance));
        shift.report.send_modify(|report| {
            if is_low && !report.balance_is_low {
                tracing::warn!(chain.account = %sender.address(), balance = told, "the confirmer's balance is low");
            }
            report.balance_is_low = is_low;
            report.balance = Some(told);
        });
        Ok(())
    }
}

fn tell(waiting: &Waiting, report: &watch::Sender<BatcherReport>) {
    let age = |since: chrono::DateTime<Utc>| (Utc::now() - since).as_seconds_f64().max(0.0);
    metrics::gauge!("zama_confirmations_waiting").set(waiting.unsealed as f64);
    metrics::gauge!("zama_confirmation_oldest_seconds").set(waiting.oldest.map_or(0.0, age));
    report.send_modify(|report| {
        report.jobs_waiting = waiting.unsealed.unsigned_abs();
        report.oldest_waiting_since = waiting.oldest.map(|since| since.to_rfc3339());
    });
}
