//! Prepaid credits: top-ups to the billing system, each once, and what it tells of accounts.

mod accounts;
mod top_ups;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use store::credits::accounts::{self as credit_accounts, Ages};
use store::credits::top_ups::{self as stored, Pauses, TopUp};

use super::BillingDelivery;

/// Top-ups to be sent, accounts, and wallets to be looked at, in one turn.
const AT_ONCE: i64 = 100;
/// After which each of these parts begins nothing more in a turn, so that none takes another one's time: the activity has two
/// minutes, of which a backlog of usage may take half a one.
const PART: Duration = Duration::from_secs(15);

/// How often something is tried or asked.
#[derive(Clone, Copy, Debug)]
pub struct CreditPace {
    pub pauses: Pauses,
    pub ages: Ages,
}

impl Default for CreditPace {
    fn default() -> Self {
        Self {
            // A call of ours lasts 10 s at most, a request in Lago a minute. What is not paid after ten hours may never be, and
            // is looked at once an hour.
            pauses: Pauses { tried: 120.0, looked_at: 60.0, looked_at_late: 3600.0 },
            ages: Ages { required: 20.0, others: 300.0 },
        }
    }
}

/// What became of a turn.
#[derive(Default)]
struct Progress {
    /// Top-ups that moved on.
    moved: u32,
    /// Tenants of theirs that were not asked for since.
    tenants: Vec<String>,
    /// What stopped the first of those that did not move on.
    failed: Option<anyhow::Error>,
}

impl Progress {
    fn top_up(&mut self, top_up: &TopUp, outcome: Result<bool>) {
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                self.moved += 1;
                self.tenants.push(top_up.tenant.clone());
            }
            Err(error) => {
                let (tenant, id) = (&top_up.tenant, top_up.id);
                tracing::warn!(tenant.id = tenant, top_up.id = %id, error = format!("{error:#}"), "a top-up waits");
                self.failed.get_or_insert_with(|| error.context(format!("top-up {id}")));
            }
        }
    }
}

impl BillingDelivery {
    /// Adds up what waits for the billing system, so that no admission does: without asking that anything.
    ///
    /// # Errors
    /// The database is away.
    pub async fn gather_credits(&self, pace: CreditPace) -> Result<()> {
        Ok(credit_accounts::gather(&self.pool, pace.ages.required).await?)
    }

    /// Sends top-ups, asks for the accounts of tenants with credits, and looks whether the top-ups that were sent are paid.
    /// Tells how many top-ups moved on. One that cannot be settled does not hold back the others.
    ///
    /// # Errors
    /// The database is away, or what stopped the first of those that did not move on; the next turn tries again.
    pub async fn settle_credits(&self, pace: CreditPace) -> Result<u32> {
        let mut progress = Progress::default();
        let begun = Instant::now();
        for top_up in stored::to_send(&self.pool, pace.pauses, AT_ONCE).await? {
            if begun.elapsed() > PART {
                break;
            }
            let sent = Box::pin(self.send(&top_up, pace.pauses)).await;
            progress.top_up(&top_up, sent);
        }
        let mut tenants = credit_accounts::due(&self.pool, pace.ages, AT_ONCE).await?;
        // Those whose credits have changed are not made to wait until they are due, nor make others wait.
        tenants.append(&mut progress.tenants);
        Box::pin(self.ask_for_accounts(tenants, &mut progress)).await;
        let begun = Instant::now();
        for sent in stored::to_look_at(&self.pool, pace.pauses, AT_ONCE).await? {
            if begun.elapsed() > PART {
                break;
            }
            Box::pin(self.look_at(&sent, &mut progress)).await;
            let tenants = std::mem::take(&mut progress.tenants);
            Box::pin(self.ask_for_accounts(tenants, &mut progress)).await;
        }
        progress.failed.map_or(Ok(progress.moved), Err)
    }

    /// Each once, in this order, as far as the time reaches.
    async fn ask_for_accounts(&self, tenants: Vec<String>, progress: &mut Progress) {
        let (begun, mut asked) = (Instant::now(), BTreeSet::new());
        for tenant in tenants {
            if begun.elapsed() > PART {
                break;
            }
            if !asked.insert(tenant.clone()) {
                continue;
            }
            if let Err(error) = Box::pin(self.ask_for_account(&tenant)).await {
                tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "the account was not told");
                progress.failed.get_or_insert_with(|| error.context(format!("account of {tenant}")));
            }
        }
    }
}
