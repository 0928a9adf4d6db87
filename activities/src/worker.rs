//! A worker: one task queue, its workflows and activities, until it is told to stop.
//!
//! The SDK's worker is not `Send`, so it has a thread of its own; activities run on the runtime that calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use blobs::BlobStore;
use blobs::remote::Fetcher;
use store::PgPool;
use temporal::{Client, Engine};
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use workflows::{BatcherWorkflow, JobWorkflow, KeyCheckWorkflow, ReporterWorkflow, task_queue};

use crate::billing_delivery::BillingDelivery;
use crate::confirm_batches::Batching;
use crate::fhe::{Attester, Checkpoints, ChildOptions, Children, Inputs, NetworkKey};
use crate::{CheckKey, Compute, Conclude, Confirm, ConfirmBatches, FheCompute, Meter, Pace, ReportUsage, Validate};

/// A cancellation must reach a computation within seconds: heartbeats are not held back longer than this.
const HEARTBEAT_THROTTLE: Duration = Duration::from_secs(1);
/// What running activities get to finish or give back when the worker stops.
const GRACE: Duration = Duration::from_secs(5);

/// What a worker of the `compute` queue needs.
pub struct Parts {
    pub pool: PgPool,
    pub billing: Option<Arc<BillingDelivery>>,
    pub batching: Batching,
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

/// How much at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub compute: usize,
    pub activities: usize,
    pub workflow_tasks: usize,
}

/// Serves the `compute` queue until `stop`.
///
/// # Errors
/// A worker that cannot start, or that fails.
pub async fn run(client: Client, parts: Parts, stop: CancellationToken) -> Result<()> {
    let options = options(&client, parts, stop.clone())?;
    on_its_thread(client, options, stop).await
}

/// Serves the `fhe` queue until `stop`.
///
/// # Errors
/// A worker that cannot start, or that fails.
pub async fn run_fhe(client: Client, parts: FheParts, stop: CancellationToken) -> Result<()> {
    on_its_thread(client, fhe_options(parts, stop.clone()), stop).await
}

async fn on_its_thread(client: Client, options: WorkerOptions, stop: CancellationToken) -> Result<()> {
    let (done, finished) = tokio::sync::oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("temporal-worker".into())
        .spawn(move || {
            let result = handle.block_on(serve(client, options, stop));
            // A receiver that is gone means that the process ends.
            let _ = done.send(result);
        })
        .context("Failed to start the worker's thread")?;
    finished.await.context("the worker's thread died")?
}

async fn serve(client: Client, options: WorkerOptions, stop: CancellationToken) -> Result<()> {
    let runtime = Runtime::from_current_tokio(Default::default()).context("Failed to make the SDK's runtime")?;
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shutdown = worker.shutdown_handle();
    tokio::spawn(async move {
        stop.cancelled().await;
        shutdown();
    });
    worker.run().await.map_err(|error| anyhow::anyhow!("the worker failed: {error}"))
}

fn options(client: &Client, parts: Parts, stopping: CancellationToken) -> Result<WorkerOptions> {
    let Parts { pool, billing, batching, pace, limits, public_url } = parts;
    let slots = Arc::new(Semaphore::new(limits.compute));
    let engine = Engine::new(client.clone());
    let slots_for = FixedSizeSlotSupplier::new;
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots_for(limits.workflow_tasks))
        .activity_task_slot_supplier(slots_for(limits.activities))
        .local_activity_task_slot_supplier(slots_for(limits.activities))
        .nexus_task_slot_supplier(slots_for(1))
        .build();
    let options = WorkerOptions::new(task_queue::COMPUTE)
        .tuner(tuner)
        .max_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .default_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .graceful_shutdown_period(GRACE)
        .register_workflow::<JobWorkflow>()?
        .register_workflow::<BatcherWorkflow>()?
        .register_workflow::<ReporterWorkflow>()?
        .register_workflow::<KeyCheckWorkflow>()?
        .register_activities(Validate { pool: pool.clone(), public_url })
        .register_activities(Compute { pool: pool.clone(), slots, pace, stopping: stopping.clone() })
        .register_activities(Conclude { pool: pool.clone() })
        .register_activities(Confirm { pool: pool.clone() })
        .register_activities(Meter { pool: pool.clone(), billing: billing.clone() })
        .register_activities(ReportUsage { pool: pool.clone(), billing })
        .register_activities(ConfirmBatches { pool, engine, batching, stopping })
        .build();
    Ok(options)
}

/// Activities alone: workflows stay on the `compute` queue. A task is taken when a child is free for it, so that what
/// waits stays in the queue, for any worker.
fn fhe_options(parts: FheParts, stopping: CancellationToken) -> WorkerOptions {
    let FheParts { pool, blobs, fetcher, network_key, attester, child, children: count, checkpoint_pbs, public_url } =
        parts;
    let children = Children::new(child, count);
    let inputs = Inputs { pool: pool.clone(), blobs: blobs.clone(), fetcher };
    let checkpoints = Checkpoints { pool: pool.clone(), blobs: blobs.clone(), attester: attester.clone() };
    let slots_for = FixedSizeSlotSupplier::new;
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots_for(1))
        .activity_task_slot_supplier(slots_for(count))
        .local_activity_task_slot_supplier(slots_for(1))
        .nexus_task_slot_supplier(slots_for(1))
        .build();
    WorkerOptions::new(task_queue::FHE)
        .tuner(tuner)
        .max_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .default_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .graceful_shutdown_period(GRACE)
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
