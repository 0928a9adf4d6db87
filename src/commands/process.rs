//! What all long-running roles share: runtime, logs, the signal to stop.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::PrometheusHandle;
use settings::{LogFormat, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const UPKEEP: Duration = Duration::from_secs(5);

/// Whether a command is a server, which logs to stdout, or a tool, whose stdout is its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Tool,
}

/// Sets the process up, then runs `work` on a runtime of its own.
///
/// # Errors
/// Whatever `work` says.
pub fn run<T, F>(settings: &Settings, role: Role, work: impl FnOnce(CancellationToken) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    start_logs(settings, role)?;
    // Several libraries bring a crypto provider; this one is for all.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new().context("Failed to start the runtime")?;
    let result = runtime.block_on(async {
        let stop = stop_on_signal()?;
        work(stop).await
    });
    // A computation on a blocking thread must not hold the process back.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Folds recorded samples into their histograms again and again: without it they pile up until somebody scrapes.
pub(crate) fn keep_metrics(metrics: PrometheusHandle, stop: CancellationToken) {
    tokio::spawn(async move {
        let mut turn = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(turn.tick()).await.is_some() {
            metrics.run_upkeep();
        }
    });
}

fn start_logs(settings: &Settings, role: Role) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log.filter).context("log.filter is not a valid filter")?;
    // Below that it names the nodes' whole addresses, which hold keys.
    let filter = filter.add_directive("alloy_transport_http=info".parse().context("Failed to set the logs up")?);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_target(false);
    match (role, settings.log.format) {
        (Role::Tool, _) => {
            let is_read_by_people = is_coloured(&std::io::stderr());
            registry.with(layer.with_ansi(is_read_by_people).with_writer(std::io::stderr)).init()
        }
        (Role::Server, LogFormat::Text) => registry.with(layer.with_ansi(is_coloured(&std::io::stdout()))).init(),
        (Role::Server, LogFormat::Json) => {
            registry.with(layer.json().flatten_event(true).with_current_span(false).with_span_list(false)).init()
        }
    }
    Ok(())
}

/// No colours in files, and none for whoever wants none (no-color.org).
fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut terminate = signal(SignalKind::terminate()).context("Failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Failed to listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
