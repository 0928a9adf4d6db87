//! `zama-jobs worker`: serves task queues.

use std::sync::Arc;
use std::time::Duration;

use activities::billing_delivery::BillingDelivery;
use activities::worker::{self, Limits, Parts};
use activities::{BatchPolicy, Batching, Memory, Pace};
use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;
use settings::Settings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use workflows::task_queue::Queue;

use super::{Role, parts, process};

/// Works until told to stop.
///
/// # Errors
/// Settings that cannot be used, or an address that is taken.
pub fn run(settings: &Settings, queues: Option<String>) -> Result<()> {
    let queues = Queue::parse_list(queues.as_ref().unwrap_or(&settings.worker.queue)).map_err(anyhow::Error::msg)?;
    process::run(settings, Role::Server, |stop| start(settings, queues, stop))
}

async fn start(settings: &Settings, queues: Vec<Queue>, stop: CancellationToken) -> Result<()> {
    let observation = observe(settings, stop.clone()).await?;
    let pool = parts::pool(settings)?;
    let billing = parts::lago(settings)?.map(|lago| {
        Arc::new(BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone()))
    });
    let target = parts::target(settings, "worker")?;
    let client = tokio::select! {
        client = temporal::wait_connected(&target) => client,
        () = stop.cancelled() => return Ok(()),
    };
    let parts = Parts {
        pool,
        billing,
        batching: Batching {
            chain: parts::chain(settings)?,
            confirmer_key: settings.chain.confirmer_key.clone(),
            policy: BatchPolicy {
                max_jobs: settings.chain.batch_max_jobs,
                max_age: Duration::from_millis(settings.chain.batch_max_age_ms),
            },
            memory: if settings.development.chain_may_forget { Memory::Forgets } else { Memory::Reorganises },
        },
        pace: Pace { pause: Duration::from_millis(settings.development.compute_pause_ms) },
        limits: Limits {
            compute: settings.worker.max_compute,
            activities: settings.worker.max_activities,
            workflow_tasks: settings.worker.max_workflow_tasks,
        },
    };
    tracing::info!(worker.queues = ?queues, "working");
    let worked = worker::run(client, &queues, parts, stop.clone()).await;
    stop.cancel();
    observation.await.context("the metrics server died")??;
    worked
}

/// `/livez` and `/metrics` of the worker.
async fn observe(settings: &Settings, stop: CancellationToken) -> Result<tokio::task::JoinHandle<Result<()>>> {
    let prometheus = PrometheusBuilder::new().install_recorder().context("Failed to install metrics")?;
    let address = &settings.worker.metrics_listen;
    if address.is_empty() {
        return Ok(tokio::spawn(async { Ok(()) }));
    }
    let listener = TcpListener::bind(address).await.with_context(|| format!("Failed to bind {address}"))?;
    let app = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/metrics", get(move || async move { prometheus.render() }));
    Ok(tokio::spawn(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
        served.context("Failed to serve metrics")
    }))
}
