//! `reconcile`: holds the ledger against the billing system, and tells what disagrees.

mod last_look;
mod progress;

use std::sync::Arc;

use chrono::Utc;
use store::PgPool;
use store::usage::dead_letters;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::watch;
use workflows::activities::Reconciled;

use crate::patience::beating;
use crate::reconciliation::{Month, Reconciler};

pub use last_look::LastLook;
pub use progress::Progress;

pub struct Reconcile {
    pub pool: PgPool,
    /// Absent when no billing system is configured.
    pub reconciler: Option<Reconciler>,
    pub last_look: LastLook,
}

#[activities]
impl Reconcile {
    #[activity(name = "reconcile")]
    pub async fn reconcile(self: Arc<Self>, ctx: ActivityContext) -> Result<Reconciled, ActivityError> {
        let progress = watch::Sender::new(Progress::of_a_lost_attempt(ctx.heartbeat_details().deserialize()));
        tokio::select! {
            found = Box::pin(beating(&ctx, || progress.borrow().clone(), self.look(&progress))) => Ok(found??),
            // Its time is over, or the worker's: one that went on beside the next attempt would ask for everything twice.
            () = ctx.cancelled() => Err(anyhow::anyhow!("this attempt is over; another goes on").into()),
        }
    }
}

impl Reconcile {
    /// Looks at the open month, and at the one before as long as it is open: its invoices are made in its first days, and
    /// finance may change them all the time. Goes on behind the last tenant of the `progress`, which moves on with each one.
    /// Tenants that cannot be read are told with what was found of the others; if none can, this is tried again.
    ///
    /// # Errors
    /// Database or billing system away.
    pub async fn look(&self, progress: &watch::Sender<Progress>) -> anyhow::Result<Reconciled> {
        let Some(reconciler) = &self.reconciler else { return Ok(Reconciled::default()) };
        let open = Month::of(Utc::now());
        let months = [open, open.before()];
        progress.send_modify(|progress| progress.begin(&months));
        let after = progress.borrow().after.clone();
        let mut passes = months.map(|month| reconciler.pass(month));
        for tenant in reconciler.to_compare(open.before(), open, after.as_deref()).await? {
            let mut reports = Vec::with_capacity(months.len());
            for pass in &mut passes {
                reports.push(pass.read(&tenant).await);
            }
            progress.send_modify(|progress| progress.add(tenant.id.as_str(), &reports));
        }
        let Progress { months, is_read, .. } = progress.borrow().clone();
        if let (false, Some(first)) = (is_read, months.iter().find_map(|month| month.unread_named.first())) {
            anyhow::bail!("no tenant's books could be read; {first}");
        }
        let found = Reconciled { months, dead_letters: dead_letters::count(&self.pool).await? };
        metrics::counter!("zama_billing_reconciliations_total").increment(1);
        let drifting: u64 = found.months.iter().map(|month| u64::from(month.drifting)).sum();
        metrics::counter!("zama_billing_drift_total").increment(drifting);
        self.last_look.found(&found);
        Ok(found)
    }
}
