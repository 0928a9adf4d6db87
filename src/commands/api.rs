//! `zama-jobs api`: the REST server, its dispatcher, and the codec server.

use std::sync::Arc;
use std::time::Duration;

use ::api::dispatcher::{self, Policy};
use ::api::token::Authority;
use ::api::{
    ApiState, CallMeter, CertificateFiles, Door, Gate, Meters, Storage, Tls, Turns, chain_audit, recorder, router,
    serve, sweep_uploads,
};
use anyhow::{Context, Result, bail};
use retrieval::Domain;
use settings::{Keeper, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use workflows::{BatcherInput, ReporterInput, UsageHoursInput};

use super::{Role, billing_system, health, key_manager, ledger_owner, limits, oidc, parts, process, retirements};

/// An open job that has not moved for this long is looked after.
const IDLE: Duration = Duration::from_secs(10);

/// Serves until told to stop.
///
/// # Errors
/// Settings that cannot be used, or an address that is taken.
pub fn run(settings: &Settings) -> Result<()> {
    settings.check_secrets(Keeper::Nobody)?;
    process::run(settings, Role::Server, |stop| start(settings, stop))
}

async fn start(settings: &Settings, stop: CancellationToken) -> Result<()> {
    let pool = parts::pool(settings)?;
    ledger_owner::watch(settings, &pool, stop.clone());
    let target = parts::target(settings, "api")?;
    let blobs = parts::blobs(settings)?;
    let domain = domain(settings)?;
    let (handle, mailbox) = dispatcher::channel();
    let health = Arc::new(health::health(settings, &pool, target.clone())?);
    let gate = Arc::new(Gate::new(limits::gate_policy(settings)?, Meters::default()));
    let calls = Arc::new(CallMeter::default());
    let tokens = Arc::new(authority(settings, &pool)?);
    let external = Arc::new(oidc::issuers(settings)?);
    let state = ApiState {
        pool: pool.clone(),
        dispatcher: handle,
        blobs: blobs.clone(),
        storage: Storage::new(parts::quotas(settings)),
        ledger_turns: Turns::default(),
        network_keys: key_manager::network_keys(settings)?,
        domain,
        tokens: tokens.clone(),
        external: external.clone(),
        gate: gate.clone(),
        retirements: retirements::retirements(settings)?,
        notices: billing_system::notices(settings)?,
        calls: calls.clone(),
        public_url: settings.public_url().to_owned(),
        max_body_bytes: settings.api.max_body_bytes,
        request_timeout: Duration::from_secs(settings.api.request_timeout_seconds),
        unseen: api::UNSEEN,
        health: health.clone(),
        prometheus: recorder(),
    };
    if let Some(metrics) = recorder() {
        process::keep_metrics(metrics, stop.clone());
    }
    let door = door(settings)?;
    if let Some(tls) = door.tls.clone() {
        tokio::spawn(tls.watch(stop.clone()));
    }
    let listener = bind(&settings.api.listen).await?;
    tracing::info!(http.address = settings.api.listen, "serving");
    let codec = serve_codec(settings, &target, stop.clone()).await?;
    let dispatching = Box::pin(dispatcher::run(pool.clone(), target, policy(settings, domain), mailbox, stop.clone()));
    let ends_all = stop.clone().drop_guard();
    let dispatcher = tokio::spawn(async move {
        // A process that accepts and does not start is worse than none: whatever ends the dispatcher ends the server.
        let _guard = ends_all;
        dispatching.await;
    });
    let watched = stop.clone();
    let watch = tokio::spawn(async move { health.watch(watched).await });
    let (gate_pool, gate_stop) = (pool.clone(), stop.clone());
    let gatekeeper = tokio::spawn(async move { gate.watch(gate_pool, gate_stop).await });
    let flush = Duration::from_secs(settings.metering.flush_seconds);
    // Ends after the last request was answered, which counts too.
    let answered = CancellationToken::new();
    let (calls_pool, calls_stop) = (pool.clone(), answered.clone());
    let meter = tokio::spawn(async move { calls.watch(calls_pool, flush, calls_stop).await });
    let watched = stop.clone();
    let issuer = tokio::spawn(async move { tokens.watch(watched).await });
    let watched = stop.clone();
    let others = tokio::spawn(async move { external.watch(watched).await });
    let sweeper = tokio::spawn(sweep_uploads(pool.clone(), blobs, stop.clone()));
    let chainer = tokio::spawn(chain_audit(pool.clone(), stop.clone()));
    serve(listener, router(state), door, stop.clone().cancelled_owned()).await?;
    stop.cancel();
    answered.cancel();
    dispatcher.await.context("the dispatcher died")?;
    watch.await.context("the watch over the parts died")?;
    gatekeeper.await.context("the watch over limits and rules died")?;
    meter.await.context("the meter of calls died")?;
    issuer.await.context("the watch over keys and revocations died")?;
    others.await.context("the watch over other issuers' keys died")?;
    sweeper.await.context("the sweeper of uploads died")?;
    chainer.await.context("whoever chains the audit log died")?;
    codec.await.context("the codec server died")?
}

fn authority(settings: &Settings, pool: &store::PgPool) -> Result<Authority> {
    Authority::new(pool.clone(), parts::authority(settings)?).context("auth.signing_key_file cannot be used")
}

fn domain(settings: &Settings) -> Result<Domain> {
    let registry = settings.chain.registry.parse().context("chain.registry is not an address")?;
    Ok(Domain { chain_id: settings.chain.chain_id, registry })
}

fn door(settings: &Settings) -> Result<Door> {
    let api = &settings.api;
    let tls = match (api.tls_certificate_file.as_str(), api.tls_key_file.as_str()) {
        ("", "") => None,
        ("", _) => bail!("api.tls_key_file needs api.tls_certificate_file"),
        (_, "") => bail!("api.tls_certificate_file needs api.tls_key_file"),
        (chain, key) => Some(Tls::new(CertificateFiles { chain: chain.into(), key: key.into() })?),
    };
    Ok(Door { head_timeout: Duration::from_secs(api.head_timeout_seconds), max_connections: api.max_connections, tls })
}

/// The registry's name is written in one way, so that every process of the API means one batcher.
fn policy(settings: &Settings, Domain { chain_id, registry }: Domain) -> Policy {
    Policy {
        concurrency: settings.dispatcher.concurrency,
        sweep: Duration::from_secs(settings.dispatcher.sweep_seconds),
        claim: Duration::from_secs(settings.dispatcher.claim_seconds),
        idle: IDLE,
        batcher: BatcherInput { chain_id, registry: registry.to_string() },
        reporter: ReporterInput { every_seconds: settings.metering.reporter_seconds },
        hours: UsageHoursInput { every_seconds: settings.metering.hours_seconds },
        reconcile_every: Duration::from_secs(settings.metering.reconcile_seconds),
    }
}

async fn serve_codec(
    settings: &Settings,
    target: &temporal::Target,
    stop: CancellationToken,
) -> Result<tokio::task::JoinHandle<Result<()>>> {
    if settings.temporal.codec_listen.is_empty() {
        return Ok(tokio::spawn(async { Ok(()) }));
    }
    let listener = bind(&settings.temporal.codec_listen).await?;
    let (keys, ui) = (target.keys.clone(), settings.temporal.ui_url.clone());
    let ends_all = stop.clone().drop_guard();
    Ok(tokio::spawn(async move {
        let _guard = ends_all;
        temporal::codec_server::serve(listener, keys, &ui, stop.cancelled_owned()).await
    }))
}

async fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("Failed to bind {address}"))
}
