//! A worker: some task queues, their workflows and activities, until it is told to stop.
//!
//! Each queue has an SDK worker of its own, so that its slots are its own too. The SDK's worker is not `Send`, so it has
//! a thread of its own; activities run on the runtime that calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::join_all;
use store::PgPool;
use temporal::{Client, Engine};
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio_util::sync::CancellationToken;
use workflows::task_queue::Queue;
use workflows::{BatcherWorkflow, JobWorkflow, ReporterWorkflow};

use crate::billing_delivery::BillingDelivery;
use crate::confirm_batches::Batching;
use crate::{Compute, Conclude, Confirm, ConfirmBatches, Meter, Pace, ReportUsage, Validate};

/// A cancellation must reach a computation within seconds: heartbeats are not held back longer than this.
const HEARTBEAT_THROTTLE: Duration = Duration::from_secs(1);
/// What running activities get to finish or give back when the worker stops.
const GRACE: Duration = Duration::from_secs(5);

/// What the workers of all queues need.
#[derive(Clone)]
pub struct Parts {
    pub pool: PgPool,
    pub billing: Option<Arc<BillingDelivery>>,
    pub batching: Batching,
    pub pace: Pace,
    pub limits: Limits,
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
    let served = queues.iter().map(async |queue| {
        let served = serve(client.clone(), *queue, parts.clone(), stop.clone()).await;
        stop.cancel();
        served.with_context(|| format!("queue {queue}"))
    });
    join_all(served).await.into_iter().collect()
}

async fn serve(client: Client, queue: Queue, parts: Parts, stop: CancellationToken) -> Result<()> {
    let (done, finished) = tokio::sync::oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name(format!("worker-{queue}"))
        .spawn(move || {
            let result = handle.block_on(work(client, queue, parts, stop));
            // A receiver that is gone means that the process ends.
            let _ = done.send(result);
        })
        .context("Failed to start the worker's thread")?;
    finished.await.context("the worker's thread died")?
}

async fn work(client: Client, queue: Queue, parts: Parts, stop: CancellationToken) -> Result<()> {
    let runtime = Runtime::from_current_tokio(Default::default()).context("Failed to make the SDK's runtime")?;
    let options = match queue {
        Queue::Jobs => jobs(&client, parts, stop.clone())?,
        Queue::Compute => compute(parts, stop.clone()),
        Queue::Fhe => bail!("this version computes on no ciphertexts"),
    };
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shutdown = worker.shutdown_handle();
    tokio::spawn(async move {
        stop.cancelled().await;
        shutdown();
    });
    worker.run().await.map_err(|error| anyhow::anyhow!("the worker failed: {error}"))
}

fn jobs(client: &Client, parts: Parts, stopping: CancellationToken) -> Result<WorkerOptions> {
    let Parts { pool, billing, batching, limits, .. } = parts;
    let engine = Engine::new(client.clone());
    let options = WorkerOptions::new(Queue::Jobs.as_str())
        .tuner(tuner(limits.workflow_tasks, limits.activities))
        .max_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .default_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .graceful_shutdown_period(GRACE)
        .register_workflow::<JobWorkflow>()?
        .register_workflow::<BatcherWorkflow>()?
        .register_workflow::<ReporterWorkflow>()?
        .register_activities(Validate { pool: pool.clone() })
        .register_activities(Conclude { pool: pool.clone() })
        .register_activities(Confirm { pool: pool.clone() })
        .register_activities(Meter { pool: pool.clone(), billing: billing.clone() })
        .register_activities(ReportUsage { pool: pool.clone(), billing })
        .register_activities(ConfirmBatches { pool, engine, batching, stopping })
        .build();
    Ok(options)
}

fn compute(parts: Parts, stopping: CancellationToken) -> WorkerOptions {
    let Parts { pool, pace, limits, .. } = parts;
    WorkerOptions::new(Queue::Compute.as_str())
        .tuner(tuner(1, limits.compute))
        .max_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .default_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .graceful_shutdown_period(GRACE)
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
