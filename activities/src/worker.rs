//! A worker: some task queues, their workflows and activities, until it is told to stop.
//!
//! Each queue has an SDK worker of its own, so that its slots are its own too. The SDK's worker is not `Send`, so it has
//! a thread of its own; activities run on the runtime that calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use blobs::BlobStore;
use blobs::remote::Fetcher;
use futures::future::join_all;
use store::PgPool;
use store::uploads::Quota;
use temporal::{Client, Engine};
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio_util::sync::CancellationToken;
use workflows::task_queue::Queue;
use workflows::{
    BatcherWorkflow, JobWorkflow, KeyCheckWorkflow, ReconciliationWorkflow, ReporterWorkflow, UsageHoursWorkflow,
};

use crate::billing_delivery::BillingDelivery;
use crate::compute::STOP_GRACE;
use crate::confirm_batches::Batching;
use crate::fhe::{Attester, Checkpoints, ChildOptions, Children, Inputs, NetworkKey};
use crate::patience::HEARTBEAT;
use crate::reconciliation::{Deadlines, OVERDUE_AFTER, PATIENCE, Reconciler};
use crate::report_usage::keep_backlog_told;
use crate::{
    BookHours, CheckKey, Compute, Conclude, Confirm, ConfirmBatches, FheCompute, LastLook, Meter, Pace, Reconcile,
    ReportUsage, Validate,
};

/// Within which a client's wish to cancel has ended the computation, as DESIGN.md promises (section 4).
const CANCELLED_WITHIN: Duration = Duration::from_secs(3);
/// A cancellation comes with the answer to a heartbeat: none is held back longer than this.
const HEARTBEAT_THROTTLE: Duration = Duration::from_secs(1);
/// What the dispatcher and an idle engine take of it.
const TELLING: Duration = Duration::from_millis(500);
const _: () = assert!(
    TELLING.as_millis() + HEARTBEAT.as_millis() + HEARTBEAT_THROTTLE.as_millis() + STOP_GRACE.as_millis()
        <= CANCELLED_WITHIN.as_millis(),
    "a cancellation comes too late"
);
/// What running activities get to finish or give back when the worker stops.
const GRACE: Duration = Duration::from_secs(5);

/// Encrypted jobs that a worker takes beyond those that it computes: while one waits for a slow server, others compute.
const FETCHES: usize = 4;

/// What the workers of all queues need.
#[derive(Clone)]
pub struct Parts {
    pub pool: PgPool,
    pub billing: Option<Arc<BillingDelivery>>,
    /// How often ledger and billing system are compared.
    pub reconcile_every: Duration,
    /// How long after a month its invoice may be awaited.
    pub invoiced_within: Duration,
    /// Of queue `jobs`.
    pub batching: Option<Batching>,
    pub pace: Pace,
    pub limits: Limits,
    /// Origin under which clients reach the API.
    pub public_url: String,
}

/// What a worker of the `fhe` queue needs.
pub struct FheParts {
    pub pool: PgPool,
    pub blobs: BlobStore,
    /// `None`: only blobs of this installation are inputs.
    pub fetcher: Option<Fetcher>,
    /// What a tenant may have of blobs, fetched ones included.
    pub blob_quota: Quota,
    pub network_key: NetworkKey,
    pub attester: Arc<Attester>,
    pub child: ChildOptions,
    /// Computations at once: each has a child of its own.
    pub children: usize,
    /// A checkpoint is made after as many bootstrappings.
    pub checkpoint_pbs: u64,
    /// Origin under which clients reach the API.
    pub public_url: String,
}

/// How much at once: the slots of the queues' workers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Plain computations: more than there are cores only makes each slower.
    pub compute: usize,
    /// Activities of queue `jobs`.
    pub activities: usize,
    pub workflow_tasks: usize,
}

/// Serves the queues until `stop`; when one of them fails, the others stop too.
///
/// # Errors
/// A worker that cannot start, or that fails.
pub async fn run(client: Client, queues: &[Queue], parts: Parts, stop: CancellationToken) -> Result<()> {
    let workers: Vec<(Queue, Prompt)> = queues
        .iter()
        .map(|queue| Ok((*queue, Prompt::of(options(&client, *queue, parts.clone(), stop.clone())?))))
        .collect::<Result<_>>()?;
    let served = workers.into_iter().map(async |(queue, options)| {
        let served = on_its_thread(client.clone(), queue, options, stop.clone()).await;
        stop.cancel();
        served.with_context(|| format!("queue {queue}"))
    });
    join_all(served).await.into_iter().collect()
}

/// Serves the `fhe` queue until `stop`.
///
/// # Errors
/// A worker that cannot start, or that fails.
pub async fn run_fhe(client: Client, parts: FheParts, stop: CancellationToken) -> Result<()> {
    on_its_thread(client, Queue::Fhe, Prompt::of(fhe(parts, stop.clone())), stop).await
}

/// Options of a worker that is told of cancellations in time and gives back its work when it stops: no other is served.
struct Prompt(WorkerOptions);

impl Prompt {
    fn of(mut options: WorkerOptions) -> Self {
        // Else the SDK holds heartbeats back for most of their time-out.
        options.max_heartbeat_throttle_interval = HEARTBEAT_THROTTLE;
        options.default_heartbeat_throttle_interval = HEARTBEAT_THROTTLE;
        options.graceful_shutdown_period = Some(GRACE);
        Self(options)
    }
}

fn options(client: &Client, queue: Queue, parts: Parts, stop: CancellationToken) -> Result<WorkerOptions> {
    match queue {
        Queue::Jobs => jobs(client, parts, stop),
        Queue::Compute => Ok(compute(parts, stop)),
        Queue::Fhe => bail!("queue fhe is served by a process of its own"),
    }
}

async fn on_its_thread(client: Client, queue: Queue, options: Prompt, stop: CancellationToken) -> Result<()> {
    let (done, finished) = tokio::sync::oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name(format!("worker-{queue}"))
        .spawn(move || {
            let result = handle.block_on(serve(client, options, stop));
            // A receiver that is gone means that the process ends.
            let _ = done.send(result);
        })
        .context("Failed to start the worker's thread")?;
    finished.await.context("the worker's thread died")?
}

async fn serve(client: Client, Prompt(options): Prompt, stop: CancellationToken) -> Result<()> {
    let runtime = Runtime::from_current_tokio(Default::default()).context("Failed to make the SDK's runtime")?;
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shutdown = worker.shutdown_handle();
    tokio::spawn(async move {
        stop.cancelled().await;
        shutdown();
    });
    worker.run().await.map_err(|error| anyhow::anyhow!("the worker failed: {error}"))
}

fn jobs(client: &Client, parts: Parts, stopping: CancellationToken) -> Result<WorkerOptions> {
    let Parts { pool, billing, reconcile_every, invoiced_within, batching, limits, public_url, .. } = parts;
    let batching = batching.context("queue jobs needs what the batcher sends with")?;
    let engine = Engine::new(client.clone());
    let deadlines = Deadlines { delivered_within: OVERDUE_AFTER, invoiced_within };
    let reconciler = billing.clone().map(|delivery| Reconciler::new(delivery, deadlines, PATIENCE));
    let last_look = LastLook::every(reconcile_every);
    tokio::spawn(last_look.clone().keep_told(stopping.clone()));
    if billing.is_some() {
        // Of a counter that begins with its first event nobody sees the rise.
        for rises in ["zama_billing_dead_letters_total", "zama_credit_refusals_total", "zama_credit_duplicates_total"] {
            metrics::counter!(rises).absolute(0);
        }
        tokio::spawn(keep_backlog_told(pool.clone(), stopping.clone()));
    }
    let options = WorkerOptions::new(Queue::Jobs.as_str())
        .tuner(tuner(limits.workflow_tasks, limits.activities))
        .register_workflow::<JobWorkflow>()?
        .register_workflow::<BatcherWorkflow>()?
        .register_workflow::<ReporterWorkflow>()?
        .register_workflow::<UsageHoursWorkflow>()?
        .register_workflow::<ReconciliationWorkflow>()?
        .register_workflow::<KeyCheckWorkflow>()?
        .register_activities(Validate { pool: pool.clone(), public_url })
        .register_activities(Conclude { pool: pool.clone() })
        .register_activities(Confirm { pool: pool.clone() })
        .register_activities(Meter { pool: pool.clone(), billing: billing.clone() })
        .register_activities(ReportUsage { billing })
        .register_activities(BookHours { pool: pool.clone() })
        .register_activities(Reconcile { pool: pool.clone(), reconciler, last_look })
        .register_activities(ConfirmBatches { pool, engine, batching, stopping, memory: Default::default() })
        .build();
    Ok(options)
}

/// Activities alone: workflows stay on the `jobs` queue.
fn fhe(parts: FheParts, stopping: CancellationToken) -> WorkerOptions {
    let FheParts { pool, blobs, fetcher, blob_quota, network_key, attester, .. } = parts;
    let FheParts { child, children: count, checkpoint_pbs, public_url, .. } = parts;
    let children = Children::new(child, count).ahead(network_key.clone());
    let inputs = Inputs { pool: pool.clone(), blobs: blobs.clone(), fetcher, quota: blob_quota };
    let checkpoints = Checkpoints { pool: pool.clone(), blobs: blobs.clone(), attester: attester.clone() };
    tokio::spawn(checkpoints.clone().keep_swept(stopping.clone()));
    WorkerOptions::new(Queue::Fhe.as_str())
        .tuner(tuner(1, count + FETCHES))
        .register_activities(CheckKey { pool: pool.clone(), blobs: blobs.clone(), children: children.clone() })
        .register_activities(FheCompute {
            pool,
            blobs,
            inputs,
            network_key,
            children,
            attester,
            checkpoints,
            checkpoint_pbs,
            public_url,
            stopping,
        })
        .build()
}

fn compute(parts: Parts, stopping: CancellationToken) -> WorkerOptions {
    let Parts { pool, pace, limits, .. } = parts;
    WorkerOptions::new(Queue::Compute.as_str())
        .tuner(tuner(1, limits.compute))
        .register_activities(Compute { pool, pace, stopping })
        .build()
}

/// A task is polled when a slot is free for it: what waits, waits at the server, where another worker finds it.
fn tuner(workflow_tasks: usize, activities: usize) -> TunerHolder {
    let slots = FixedSizeSlotSupplier::new;
    TunerHolder::builder()
        .workflow_task_slot_supplier(slots(workflow_tasks))
        .activity_task_slot_supplier(slots(activities))
        .local_activity_task_slot_supplier(slots(activities))
        .nexus_task_slot_supplier(slots(1))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SDK's own throttle is eight seconds for our computations, and half a minute for what has no time-out.
    #[test]
    fn no_heartbeat_of_a_worker_is_held_back_for_long() {
        let Prompt(options) = Prompt::of(WorkerOptions::new("a queue").build());
        assert_eq!(options.max_heartbeat_throttle_interval, HEARTBEAT_THROTTLE);
        assert_eq!(options.default_heartbeat_throttle_interval, HEARTBEAT_THROTTLE);
        assert_eq!(options.graceful_shutdown_period, Some(GRACE));
    }

    #[test]
    fn the_design_promises_what_is_kept() {
        let design = include_str!("../../DESIGN.md");
        let promise = format!("within {} s of the request", CANCELLED_WITHIN.as_secs());
        assert!(design.contains(&promise), "DESIGN.md does not say: {promise}");
    }
}
