//! `zama-jobs kms`: the key manager, and the first start that makes its keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::chain::Node;
use anyhow::{Context, Result};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use kms::at_rest::StorageSecret;
use kms::keys::{KeySet, Origin, Step};
use kms::{Certificates, Config, Credentials, Finality, Trust, Witness};
use nix::sys::prctl::set_dumpable;
use serde_json::json;
use settings::{Keeper, Kms, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Role, parts, process};
use crate::output;

#[derive(Subcommand)]
pub enum KmsCommand {
    /// Make the keys if there are none, and print the address that the registry pins.
    Init,
}

/// Serves, or fills the folder.
///
/// # Errors
/// Settings that cannot be used, a folder that others may enter, an address that is taken, or another storage secret
/// than the keys were written with.
pub fn run(settings: &Settings, command: Option<KmsCommand>, as_json: bool) -> Result<()> {
    settings.check_secrets(Keeper::KeyManager)?;
    settings.check_key_manager()?;
    // The network's secret key is in our memory: no core file, and nothing for other processes of our user.
    set_dumpable(false).context("Failed to close this process to others of its user")?;
    match command {
        None => process::run(settings, Role::Server, |stop| serve(settings, stop)),
        Some(KmsCommand::Init) => process::run(settings, Role::Tool, |_stop| async {
            let bar = bar();
            let keys = init(settings, &show_on(bar.clone())).await?;
            bar.finish_and_clear();
            let manifest = keys.manifest();
            match as_json {
                true => output::document(&json!({ "signer": manifest.signer.to_string(), "key_id": manifest.key_id })),
                false => output::line(manifest.signer),
            }
        }),
    }
}

/// Makes the keys if there are none, and loads them. `progress` is told what is being made.
///
/// # Errors
/// The folder cannot be used, or the storage secret is another one.
pub async fn init(settings: &Settings, progress: &(impl Fn(Step) + Send + Sync + Clone + 'static)) -> Result<KeySet> {
    let data = PathBuf::from(&settings.kms.data_dir);
    let secret = StorageSecret::new(settings.kms.storage_secret.clone());
    let origin = match settings.development.kms_seed_dir.as_str() {
        "" => Origin::Fresh,
        folder => Origin::CopyOf(folder.into()),
    };
    let progress = progress.clone();
    let keys = tokio::task::spawn_blocking(move || kms::keys::ensure(&data, &secret, &origin, &progress));
    keys.await.context("making the keys failed")?.context("kms.data_dir cannot be used")
}

async fn serve(settings: &Settings, stop: CancellationToken) -> Result<()> {
    let listen = &settings.kms.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("Failed to bind {listen}"))?;
    let keys = init(settings, &|step: Step| tracing::info!("{step}")).await?;
    let config = Config {
        data: PathBuf::from(&settings.kms.data_dir),
        credentials: Credentials::new(&settings.kms.api_credential, &settings.kms.worker_credential)?,
        tls: certificates(&settings.kms)?,
        trust: trust(settings)?,
        witness: witness(settings)?,
        keys,
    };
    let manifest = config.keys.manifest();
    tracing::info!(grpc.address = listen, key.id = %manifest.key_id, signer = %manifest.signer, "serving keys");
    kms::serve(listener, config, stop).await
}

fn trust(settings: &Settings) -> Result<Trust> {
    let domain = retrieval::Domain {
        chain_id: settings.chain.chain_id,
        registry: settings.chain.registry.parse().context("chain.registry is not an address")?,
    };
    let workers = settings.kms.worker_addresses().map(str::parse).collect::<Result<_, _>>();
    Ok(Trust { domain, workers: workers.context("kms.worker_addresses holds something that is no address")? })
}

fn witness(settings: &Settings) -> Result<Witness> {
    let chain = parts::chain(settings)?;
    let timeout = Duration::from_secs(settings.chain.rpc_timeout_seconds);
    let nodes = settings.kms.rpc_urls().map(|url| Node::new(url, chain.registry, timeout)).collect::<Result<_, _>>();
    let code_hash = match settings.kms.registry_code_hash.as_str() {
        "" => None,
        hash => Some(hash.parse().context("kms.registry_code_hash is not a hash")?),
    };
    Ok(Witness {
        nodes: nodes.context("kms.rpc_urls cannot be used")?,
        quorum: settings.kms.rpc_quorum,
        chain_id: chain.chain_id,
        code_hash,
        finality: match settings.kms.confirmations {
            0 => Finality::Finalized,
            depth => Finality::Depth(depth),
        },
    })
}

/// Contents of the files for mTLS, if they are named.
pub(crate) fn certificates(settings: &Kms) -> Result<Option<Certificates>> {
    if !settings.has_certificates() {
        return Ok(None);
    }
    let read = |path: &str| fs::read_to_string(Path::new(path)).with_context(|| format!("Failed to read {path}"));
    Ok(Some(Certificates {
        certificate: read(&settings.certificate_file)?,
        key: read(&settings.key_file)?,
        authority: read(&settings.authority_file)?,
    }))
}

/// What a person sees while keys are made; to stderr, which leaves stdout to the answer.
fn bar() -> ProgressBar {
    const TEMPLATE: &str = "{spinner} {bar:30} {pos}/{len}  {wide_msg} {elapsed}";
    const TICK: Duration = Duration::from_millis(100);
    let bar = ProgressBar::new(Step::ALL as u64);
    bar.set_style(ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(TICK);
    bar
}

fn show_on(bar: ProgressBar) -> impl Fn(Step) + Send + Sync + Clone + 'static {
    move |step| {
        bar.set_position(step.done_before() as u64);
        bar.set_message(step.to_string());
    }
}
