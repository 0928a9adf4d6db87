//! The steps between the engines and our own parts, in order. Each is idempotent: a stack that was stopped or killed
//! anywhere passes through all of them again.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::token::Role;
use jobs::{TenantId, UserId};
use kms::keys::Step;
use settings::Settings;
use store::Connections;

use crate::commands::token::TokenArgs;
use crate::commands::{self, parts};

use super::api_key;
use super::data_dir::DataDir;
use super::part::PartName;
use super::postgres;
use super::progress::{Event, Progress};
use super::wiring::Wiring;

/// Runs every step whose engines run, and writes into `wiring` what our own parts must know.
///
/// # Errors
/// A step failed; the message names it.
pub async fn run(data: &DataDir, running: &[PartName], wiring: &mut Wiring, progress: &Progress) -> Result<()> {
    let runs = |part| running.contains(&part);
    if runs(PartName::Postgres) {
        step("database", progress, postgres::ensure_database(data, wiring.ports.postgres())).await?;
        step("migrations", progress, migrate(wiring)).await?;
        step("token", progress, token(data, wiring, progress)).await?;
    }
    if runs(PartName::Temporal) {
        step("namespace", progress, namespace(wiring)).await?;
    }
    if runs(PartName::Kms) {
        step("keys", progress, keys(wiring, progress)).await?;
    }
    if runs(PartName::Anvil) {
        step("registry", progress, registry(wiring)).await?;
    }
    if runs(PartName::Lago) || !wiring.lago_url.is_empty() && runs(PartName::Worker) {
        step("billing", progress, billing(wiring)).await?;
    }
    Ok(())
}

/// Lifetime of the token that `.zama/dev.env` carries: a developer's stack may run for days.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
const TENANT: &str = "dev";
const USER: &str = "developer";

async fn migrate(wiring: &Wiring) -> Result<()> {
    let one = Connections { max: 1, acquire_timeout: Duration::from_secs(30), statement_timeout: Duration::ZERO };
    let (owner, application) =
        (store::connect(&wiring.owner_url(), &one)?, store::connect(&wiring.database_url(), &one)?);
    Box::pin(commands::migrate::apply(&owner, &application)).await?;
    owner.close().await;
    application.close().await;
    Ok(())
}

async fn namespace(wiring: &Wiring) -> Result<()> {
    let client = Box::pin(temporal::connect(&parts::target(&settings(wiring)?, "dev")?)).await?;
    temporal::setup::ensure(&client).await?;
    Ok(())
}

async fn registry(wiring: &mut Wiring) -> Result<()> {
    let settings = settings(wiring)?;
    wiring.registry = Some(commands::chain::deploy(&settings, wiring.kms_signer.as_deref()).await?);
    let submitter = chain::development::submitter(&TENANT.parse()?, &USER.parse()?)?;
    let timeout = Duration::from_secs(settings.chain.rpc_timeout_seconds);
    chain::development::ensure_funds(&settings.chain.rpc_url, submitter.address, timeout).await?;
    Ok(())
}

/// Makes the network's keys at the first start, which takes a while: each stage is shown.
async fn keys(wiring: &mut Wiring, progress: &Progress) -> Result<()> {
    let progress = progress.clone();
    let show = move |step: Step| progress(&Event::Notice { name: PartName::Kms, text: step.to_string() });
    // As the part itself will read them: the caller may have tuned the secret or named a folder to copy from.
    let settings = Settings::load_with(None, std::env::vars().chain(wiring.settings()))?;
    let keys = commands::kms::init(&settings, &show).await?;
    wiring.kms_signer = Some(keys.manifest().signer.to_string());
    Ok(())
}

async fn billing(wiring: &Wiring) -> Result<()> {
    let settings = settings(wiring)?;
    let lago = parts::lago(&settings)?.context("there is no billing system")?;
    commands::billing::provision(&settings, &lago).await
}

/// Credentials of an admin of the development tenant: a token, and an API key.
async fn token(data: &DataDir, wiring: &mut Wiring, progress: &Progress) -> Result<()> {
    let (tenant, user): (TenantId, UserId) = (TENANT.parse()?, USER.parse()?);
    let args =
        TokenArgs { tenant: tenant.clone(), user: user.clone(), role: Role::Admin, scopes: None, ttl: TOKEN_LIFETIME };
    let settings = settings(wiring)?;
    wiring.token = Some(Box::pin(commands::token::issue(&settings, &args)).await?);
    let pool = parts::pool(&settings)?;
    wiring.api_key = Some(Box::pin(api_key::ensure(&pool, &data.join("api-key"), &tenant, &user)).await?);
    let closed = store::accounts::closed_since(&pool, &tenant).await?;
    pool.close().await;
    // The others' work goes on.
    if closed.is_some() {
        let text =
            format!("tenant {tenant} is closed for good: its token and key are refused; another --data-dir has one");
        progress(&Event::Notice { name: PartName::Api, text });
    }
    let submitter = chain::development::submitter(&tenant, &user)?;
    wiring.submitter_key = Some(submitter.private_key);
    Ok(())
}

/// The settings that our own processes will have.
fn settings(wiring: &Wiring) -> Result<Settings> {
    Settings::load_with(None, wiring.settings())
}

async fn step<T>(name: &'static str, progress: &Progress, work: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let done = work.await.with_context(|| format!("Provisioning failed at step {name}"))?;
    progress(&Event::Provisioned { step: name, took: began.elapsed() });
    Ok(done)
}
