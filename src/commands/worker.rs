//! `zama-jobs worker`: serves task queues.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use activities::billing_delivery::BillingDelivery;
use activities::fhe::{Attester, ChildOptions, NetworkKey};
use activities::worker::{self, FheParts, Limits, Parts};
use activities::{BATCH_JOBS, BatchPolicy, Batching, Memory, Pace, PauseAt};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use metrics_util::MetricKindMask;
use retrieval::Domain;
use settings::{ComputePause, Development, Keeper, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use workflows::task_queue::Queue;

use super::{Role, key_manager, ledger_owner, parts, process};

/// Longest pause between two calls to a key manager that is away.
const KEY_MANAGER_PAUSE: Duration = Duration::from_secs(5);

/// Whoever tells gauges sets them at least every twenty seconds.
const IDLE_GAUGE: Duration = Duration::from_secs(60);

/// Upper bounds of the histogram of batches, in jobs.
const BATCH_BUCKETS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0];

/// Works until told to stop.
///
/// # Errors
/// Settings that cannot be used, or an address that is taken.
pub fn run(settings: &Settings, queues: Option<String>) -> Result<()> {
    let queues = Queue::parse_list(queues.as_ref().unwrap_or(&settings.worker.queue)).map_err(anyhow::Error::msg)?;
    if queues == [Queue::Fhe] {
        settings.check_secrets(Keeper::FheWorker)?;
        return process::run(settings, Role::Server, |stop| start_fhe(settings, stop));
    }
    ensure!(
        !queues.contains(&Queue::Fhe),
        "queue fhe is served by a process of its own: run `worker --queue fhe` beside"
    );
    settings.check_secrets(Keeper::Nobody)?;
    process::run(settings, Role::Server, |stop| start(settings, queues, stop))
}

async fn start(settings: &Settings, queues: Vec<Queue>, stop: CancellationToken) -> Result<()> {
    let observation = observe(settings, stop.clone()).await?;
    let pool = parts::pool(settings)?;
    ledger_owner::watch(settings, &pool, stop.clone());
    let billing = parts::lago(settings)?.map(|lago| {
        let mut delivery = BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone());
        // One telling of calls may fail.
        delivery.ends_after += 2 * Duration::from_secs(settings.metering.flush_seconds);
        Arc::new(delivery)
    });
    let target = parts::target(settings, "worker")?;
    let batching = batching(settings, &queues)?;
    let client = tokio::select! {
        client = temporal::wait_connected(&target) => client,
        () = stop.cancelled() => return Ok(()),
    };
    let parts = Parts {
        pool,
        billing,
        reconcile_every: Duration::from_secs(settings.metering.reconcile_seconds),
        invoiced_within: settings.billing.invoiced_within(),
        batching,
        pace: pace(&settings.development),
        limits: Limits {
            compute: settings.worker.max_compute,
            activities: settings.worker.max_activities,
            workflow_tasks: settings.worker.max_workflow_tasks,
        },
        public_url: settings.api.public_url.clone(),
    };
    tracing::info!(worker.queues = ?queues, "working");
    let worked = worker::run(client, &queues, parts, stop.clone()).await;
    stop.cancel();
    observation.await.context("the metrics server died")??;
    worked
}

fn pace(development: &Development) -> Pace {
    let at = match development.compute_pause_at {
        ComputePause::Start => PauseAt::Start,
        ComputePause::Checkpoint => PauseAt::Checkpoint,
        ComputePause::Busy => PauseAt::Busy,
    };
    Pace { pause: Duration::from_millis(development.compute_pause_ms), at }
}

/// Checked before anything is waited for: a setting that cannot be used ends the process at once. Queues other than
/// `jobs` send nothing and need no key.
fn batching(settings: &Settings, queues: &[Queue]) -> Result<Option<Batching>> {
    let chain = parts::chain(settings)?;
    if !queues.contains(&Queue::Jobs) {
        return Ok(None);
    }
    let set = &settings.chain;
    Ok(Some(Batching {
        chain,
        signer: parts::confirmer(settings)?,
        policy: BatchPolicy { max_jobs: set.batch_max_jobs, max_age: Duration::from_millis(set.batch_max_age_ms) },
        fees: parts::fee_policy(settings),
        low_balance: parts::low_balance(settings)?,
        memory: if settings.development.chain_may_forget { Memory::Forgets } else { Memory::Reorganises },
    }))
}

async fn start_fhe(settings: &Settings, stop: CancellationToken) -> Result<()> {
    let observation = observe(settings, stop.clone()).await?;
    let chain = parts::chain(settings)?;
    let domain = Domain { chain_id: chain.chain_id, registry: chain.registry };
    let attester = Attester::new(&settings.worker.attestation_key, domain)?;
    let target = parts::target(settings, "worker-fhe")?;
    let key_manager = key_manager::of_worker(settings)?;
    let (network_key, client) = tokio::select! {
        ready = async { (network_key(settings, &key_manager).await, temporal::wait_connected(&target).await) } => ready,
        () = stop.cancelled() => return Ok(()),
    };
    let pool = parts::pool(settings)?;
    ledger_owner::watch(settings, &pool, stop.clone());
    let parts = FheParts {
        pool,
        blobs: parts::blobs(settings)?,
        fetcher: parts::fetcher(settings)?,
        blob_quota: parts::quotas(settings).blobs,
        network_key,
        attester: Arc::new(attester),
        child: ChildOptions {
            // This very program, even after another one has taken its place on the disk.
            program: "/proc/self/exe".into(),
            memory_bytes: settings.fhe.child_memory_mib.saturating_mul(1 << 20),
        },
        children: settings.fhe.children,
        checkpoint_pbs: settings.fhe.checkpoint_pbs,
        public_url: settings.api.public_url.clone(),
    };
    tracing::info!(worker.queues = ?[Queue::Fhe], attester = %parts.attester.address(), "working");
    let worked = worker::run_fhe(client, parts, stop.clone()).await;
    stop.cancel();
    observation.await.context("the metrics server died")??;
    worked
}

/// The network's keys; a key manager that is away is waited for.
async fn network_key(settings: &Settings, key_manager: &kms::Client) -> NetworkKey {
    let mut pause = Duration::from_millis(250);
    loop {
        match NetworkKey::fetch(key_manager, Path::new(&settings.fhe.key_folder)).await {
            Ok(key) => return key,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "waiting for the key manager"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(KEY_MANAGER_PAUSE);
    }
}

/// What is measured in sizes is a histogram with bounds of its own, so that workers can be added up. A gauge that nobody
/// has set for `idle` is told no more: the batcher's are the leader's, and another process may lead since.
fn prometheus(idle: Duration) -> Result<PrometheusBuilder> {
    let batches = Matcher::Full(BATCH_JOBS.to_owned());
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::GAUGE, Some(idle));
    builder.set_buckets_for_metric(batches, &BATCH_BUCKETS).context("Failed to set up metrics")
}

/// `/livez` and `/metrics` of the worker.
async fn observe(settings: &Settings, stop: CancellationToken) -> Result<tokio::task::JoinHandle<Result<()>>> {
    let prometheus = prometheus(IDLE_GAUGE)?.install_recorder().context("Failed to install metrics")?;
    process::keep_metrics(prometheus.clone(), stop.clone());
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

#[cfg(test)]
mod tests {
    use activities::LastLook;
    use workflows::activities::{Reconciled, ReconciledMonth};

    use super::*;

    fn with(key: &str, value: &str) -> Settings {
        Settings::load_with(None, [(key.to_owned(), value.to_owned())]).expect("settings")
    }

    #[test]
    fn chain_settings_that_cannot_be_used_are_named_before_anything_is_waited_for() {
        let refused = |settings: &Settings, queue| batching(settings, &[queue]).err().map(|error| format!("{error:#}"));
        assert_eq!(refused(&with("ZAMA__LOG__FORMAT", "text"), Queue::Jobs), None);
        let key = with("ZAMA__CHAIN__CONFIRMER_KEY", "0x1234");
        let said = refused(&key, Queue::Jobs).expect("no key");
        assert!(said.contains("chain.confirmer_key") && !said.contains("1234"), "{said}");
        assert_eq!(refused(&key, Queue::Compute), None, "which sends nothing");
        let url = with("ZAMA__CHAIN__RPC_URL", "127.0.0.1:8545");
        assert!(refused(&url, Queue::Jobs).expect("no URL").contains("chain.rpc_url"));
        let registry = with("ZAMA__CHAIN__REGISTRY", "0x12");
        assert!(refused(&registry, Queue::Compute).expect("no address").contains("chain.registry"));
    }

    #[test]
    fn a_gauge_that_nobody_sets_any_more_is_not_told_for_ever() {
        let recorder = prometheus(Duration::ZERO).unwrap().build_recorder();
        let told = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::gauge!("zama_batches_refused").set(1.0);
            metrics::counter!("zama_jobs_completed_total").increment(1);
        });
        assert!(told.render().contains("zama_batches_refused 1"), "it was set since the last look");
        assert!((0..1_000).any(|_| !told.render().contains("zama_batches_refused 1")), "time goes on");
        assert!(told.render().contains("zama_jobs_completed_total 1"), "what is counted stays");
        metrics::with_local_recorder(&recorder, || metrics::gauge!("zama_batches_refused").set(1.0));
        assert!(told.render().contains("zama_batches_refused 1"), "this process leads again");
    }

    #[test]
    fn what_was_found_when_the_books_were_compared_is_told() {
        let recorder = prometheus(IDLE_GAUGE).unwrap().build_recorder();
        let told = recorder.handle();
        let month = |month: &str, drifting| {
            let month = month.to_owned();
            ReconciledMonth { month, drifting, unread: drifting + 1, ..ReconciledMonth::default() }
        };
        metrics::with_local_recorder(&recorder, || {
            let last_look = LastLook::every(Duration::from_secs(3600));
            for drifting in [2, 0] {
                let months = vec![month("2026-11", drifting), month("2026-10", 0)];
                last_look.found(&Reconciled { months, ..Reconciled::default() });
                let text = told.render();
                let lines = [
                    format!("zama_billing_drift{{month=\"2026-11\"}} {drifting}\n"),
                    "zama_billing_drift{month=\"2026-10\"} 0\n".to_owned(),
                    format!("zama_billing_unread{{month=\"2026-11\"}} {}\n", drifting + 1),
                    "zama_billing_reconciled_timestamp_seconds 1".to_owned(),
                ];
                assert!(lines.iter().all(|line| text.contains(line)), "{text}");
            }
        });
    }

    #[test]
    fn batches_are_a_histogram_with_bounds() {
        let recorder = prometheus(IDLE_GAUGE).unwrap().build_recorder();
        let told = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            for jobs in [1.0, 100.0, 101.0] {
                metrics::histogram!(BATCH_JOBS).record(jobs);
            }
        });
        let text = told.render();
        assert!(text.contains("# TYPE zama_batch_jobs histogram"), "{text}");
        for (bound, batches) in [("1", 1), ("50", 1), ("100", 2), ("200", 3), ("+Inf", 3)] {
            let line = format!("zama_batch_jobs_bucket{{le=\"{bound}\"}} {batches}");
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
    }
}
