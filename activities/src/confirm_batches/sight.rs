//! What operators see of the batcher: its report, and the gauges that alarms are made of.

use alloy::primitives::utils::format_ether;
use anyhow::Result;
use chain::Sender;
use chrono::Utc;
use store::batches;

use super::{ConfirmBatches, Shift};

impl ConfirmBatches {
    pub(super) async fn look_around(&self, sender: &Sender, shift: &mut Shift) -> Result<()> {
        let waiting = batches::waiting(&self.pool, &self.registry()?).await?;
        let age = |since: chrono::DateTime<Utc>| (Utc::now() - since).as_seconds_f64().max(0.0);
        metrics::gauge!("zama_confirmations_waiting").set(waiting.unsealed as f64);
        metrics::gauge!("zama_confirmation_oldest_seconds").set(waiting.oldest.map_or(0.0, age));
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
            report.jobs_waiting = waiting.unsealed.unsigned_abs();
            report.oldest_waiting_since = waiting.oldest.map(|since| since.to_rfc3339());
            report.balance_is_low = is_low;
            report.balance = Some(told);
        });
        Ok(())
    }
}
