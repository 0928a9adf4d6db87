//! From settings to the parts that roles are built of.

use std::sync::Arc;
use std::time::Duration;

use ::api::token::{AuthorityConfig, KeysSecret, LOOK_EVERY};
use ::billing::LagoClient;
use ::blobs::BlobStore;
use ::blobs::remote::{Fetcher, KnownHosts};
use ::chain::{ChainConfig, Endpoints, FeePolicy, Signer, SigningServer};
use ::temporal::Target;
use ::temporal::codec::KeyRing;
use alloy::primitives::utils::parse_ether;
use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, bail};
use settings::{Settings, SigningAccount};
use store::uploads::{Quota, Quotas};
use store::{Connections, PgPool};

const WEI_A_GWEI: u128 = 1_000_000_000;

/// As the application's role.
pub(crate) fn pool(settings: &Settings) -> Result<PgPool> {
    connect(settings, &settings.database.url).context("database.url is not valid")
}

/// As the schema's owner.
pub(crate) fn owner_pool(settings: &Settings) -> Result<PgPool> {
    connect(settings, settings.database.owner_url()).context("database.migration_url is not valid")
}

fn connect(settings: &Settings, url: &str) -> Result<PgPool> {
    let database = &settings.database;
    let connections = Connections {
        max: database.max_connections,
        acquire_timeout: Duration::from_secs(database.acquire_timeout_seconds),
        statement_timeout: Duration::from_secs(database.statement_timeout_seconds),
    };
    Ok(store::connect(url, &connections)?)
}

pub(crate) fn target(settings: &Settings, role: &str) -> Result<Target> {
    Ok(Target {
        address: settings.temporal.address.clone(),
        namespace: settings.temporal.namespace.clone(),
        identity: format!("zama-jobs {role} {}", std::process::id()),
        keys: KeyRing::parse(&settings.temporal.codec_keys).context("temporal.codec_keys is not valid")?,
    })
}

pub(crate) fn chain(settings: &Settings) -> Result<ChainConfig> {
    let chain = &settings.chain;
    Ok(ChainConfig {
        nodes: Endpoints::parse(&chain.rpc_url, Duration::from_secs(chain.rpc_timeout_seconds))
            .context("chain.rpc_url cannot be used")?,
        chain_id: chain.chain_id,
        registry: chain.registry.parse().context("chain.registry is not an address")?,
        confirmations: chain.confirmations,
    })
}

/// What the batcher's transactions may cost.
pub(crate) fn fee_policy(settings: &Settings) -> FeePolicy {
    FeePolicy {
        cap: fee_cap(settings),
        tip_cap: u128::from(settings.chain.tip_cap_gwei) * WEI_A_GWEI,
        patience: Duration::from_secs(settings.chain.fee_patience_seconds),
    }
}

/// The most that a unit of gas may cost, in wei.
pub(crate) fn fee_cap(settings: &Settings) -> u128 {
    u128::from(settings.chain.fee_cap_gwei) * WEI_A_GWEI
}

/// Balance of the confirmer, in wei, under which operators are told.
pub(crate) fn low_balance(settings: &Settings) -> Result<U256> {
    parse_ether(&settings.chain.low_balance_eth).context("chain.low_balance_eth is not an amount of ETH")
}

/// Who signs batches.
pub(crate) fn confirmer(settings: &Settings) -> Result<Signer> {
    signer(settings, settings.chain.confirmer())
}

/// Who signs an account's transactions: a signing server, AWS KMS, an encrypted key, or a plain one, whichever is set first
/// in this order.
pub(crate) fn signer(settings: &Settings, account: SigningAccount<'_>) -> Result<Signer> {
    let name = account.name;
    let timeout = Duration::from_secs(settings.chain.rpc_timeout_seconds);
    let address = || -> Result<Address> {
        account.address.parse().with_context(|| format!("chain.{name}_address is not an address"))
    };
    if !account.signer_url.is_empty() {
        let server = SigningServer::new(account.signer_url, address()?, timeout);
        return Ok(Signer::remote(Arc::new(
            server.with_context(|| format!("chain.{name}_signer_url cannot be used"))?,
        )));
    }
    if !account.aws_key.is_empty() {
        return Signer::aws_key(account.aws_key, address()?, timeout)
            .with_context(|| format!("chain.{name}_aws_key cannot be used"));
    }
    if account.keystore.is_empty() {
        return Signer::private_key(account.key).with_context(|| format!("chain.{name}_key cannot be used"));
    }
    let read = |file: &str| std::fs::read_to_string(file).with_context(|| format!("Failed to read {file}"));
    let password = if account.password_file.is_empty() {
        account.password.to_owned()
    } else {
        read(account.password_file)?.trim_end_matches(['\r', '\n']).to_owned()
    };
    Signer::keystore(&read(account.keystore)?, &password)
        .with_context(|| format!("chain.{name}_keystore cannot be used"))
}

/// The blob store; it is touched when it is first used.
pub(crate) fn blobs(settings: &Settings) -> Result<BlobStore> {
    let blobs = &settings.blobs;
    let s3 = ::blobs::S3 {
        endpoint: blobs.s3_endpoint.clone(),
        region: blobs.s3_region.clone(),
        access_key_id: blobs.s3_access_key_id.clone(),
        secret_access_key: blobs.s3_secret_access_key.clone(),
        allow_http: blobs.s3_allow_http,
    };
    BlobStore::open(&::blobs::Config { url: blobs.url.clone(), s3 }).context("blobs.url cannot be used")
}

/// What the issuer's keys are stored under.
pub(crate) fn keys_secret(settings: &Settings) -> Result<KeysSecret> {
    if settings.auth.keys_secret.is_empty() {
        bail!("auth.keys_secret is empty: the issuer's keys are stored under it");
    }
    Ok(KeysSecret::new(settings.auth.keys_secret.clone()))
}

/// How access tokens are made and checked.
pub(crate) fn authority(settings: &Settings) -> Result<AuthorityConfig> {
    let auth = &settings.auth;
    Ok(AuthorityConfig {
        issuer: settings.issuer().to_owned(),
        audience: auth.audience.clone(),
        keys_secret: keys_secret(settings)?,
        key_file: (!auth.signing_key_file.is_empty()).then(|| auth.signing_key_file.clone().into()),
        look_every: LOOK_EVERY,
    })
}

/// What a tenant may store.
pub(crate) fn quotas(settings: &Settings) -> Quotas {
    let uploads = &settings.uploads;
    Quotas {
        blobs: Quota { count: uploads.max_blobs, bytes: uploads.max_blob_bytes },
        client_keys: Quota { count: uploads.max_keys, bytes: uploads.max_key_bytes },
    }
}

/// The way to other people's servers, unless it is closed.
pub(crate) fn fetcher(settings: &Settings) -> Result<Option<Fetcher>> {
    let (egress, development) = (&settings.egress, &settings.development);
    if !egress.fetch_urls {
        return Ok(None);
    }
    let fetcher = Fetcher::within(Duration::from_secs(egress.fetch_timeout_seconds));
    if development.fetch_hosts.is_empty() {
        return Ok(Some(fetcher));
    }
    let file = &development.fetch_authority_file;
    let authority = std::fs::read(file).with_context(|| format!("Failed to read {file}"))?;
    let known = KnownHosts::parse(&development.fetch_hosts, &authority).context("development.fetch_hosts")?;
    tracing::warn!(hosts = development.fetch_hosts, "development: hosts that are not public are fetched");
    Ok(Some(fetcher.knowing(known)))
}

/// The billing system, if one is configured.
pub(crate) fn lago(settings: &Settings) -> Result<Option<LagoClient>> {
    if settings.billing.lago_url.is_empty() {
        return Ok(None);
    }
    let client = LagoClient::new(&settings.billing.lago_url, &settings.billing.lago_key);
    client.map(Some).context("billing.lago_url is not valid")
}
