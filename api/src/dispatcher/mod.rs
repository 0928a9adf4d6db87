//! From the outbox to Temporal: starts what was admitted, tells workflows of cancellations, has uploaded keys checked,
//! and looks after jobs whose workflow was lost, and after the schedule. It runs in every API process; claims in the
//! database keep the processes apart.

mod cancels;
mod handle;
mod key_checks;
mod lost;
mod schedules;
mod starts;

use std::time::Duration;

use store::PgPool;
use temporal::{Engine, Target};
use tokio_util::sync::CancellationToken;
use workflows::{BatcherInput, ReporterInput, UsageHoursInput};

pub use handle::{Handle, Mailbox, channel};

/// How the dispatcher works.
#[derive(Clone, Debug)]
pub struct Policy {
    /// StartWorkflow calls in flight.
    pub concurrency: usize,
    /// Between two sweeps.
    pub sweep: Duration,
    /// After which another process may take over a claimed start.
    pub claim: Duration,
    /// An open job that has not moved for this long is looked after.
    pub idle: Duration,
    pub batcher: BatcherInput,
    pub reporter: ReporterInput,
    pub hours: UsageHoursInput,
    /// Between two comparisons of ledger and billing system.
    pub reconcile_every: Duration,
}

/// Runs until `stop`. Temporal may be away at any time: admitted jobs wait in the outbox.
pub async fn run(pool: PgPool, target: Target, policy: Policy, mailbox: Mailbox, stop: CancellationToken) {
    let engine = tokio::select! {
        client = temporal::wait_connected(&target) => Engine::new(client),
        () = stop.cancelled() => return,
    };
    let Mailbox { starts, cancels, keys } = mailbox;
    tokio::join!(
        starts::run(pool.clone(), engine.clone(), policy.clone(), starts, stop.clone()),
        cancels::run(pool.clone(), engine.clone(), policy.sweep, cancels, stop.clone()),
        key_checks::run(pool.clone(), engine.clone(), policy.clone(), keys, stop.clone()),
        schedules::run(engine.clone(), policy.clone(), stop.clone()),
        lost::run(pool, engine, policy, stop),
    );
}
