//! The sections of the configuration; `config.default.toml` says what each key does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    pub listen: String,
    pub public_url: String,
    pub max_body_bytes: usize,
    pub request_timeout_seconds: u64,
    pub head_timeout_seconds: u64,
    pub max_connections: usize,
    pub tls_certificate_file: String,
    pub tls_key_file: String,
    pub trusted_proxies: String,
    pub cors_origins: String,
    /// By version (`v1`) or operation id.
    #[serde(default)]
    pub retirements: BTreeMap<String, Retirement>,
}

/// A version or an operation of the API that is about to go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    pub deprecated_at: String,
    #[serde(default)]
    pub sunset_at: String,
    #[serde(default)]
    pub link: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub issuer: String,
    pub audience: String,
    pub keys_secret: String,
    pub signing_key_file: String,
    pub request_key_secret: String,
    pub token_requests_per_minute: u32,
    pub token_requests_burst: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    pub migration_url: String,
    pub max_connections: u32,
    pub acquire_timeout_seconds: u64,
    pub statement_timeout_seconds: u64,
}

impl Database {
    /// Where the schema's owner connects: migrations alone.
    #[must_use]
    pub fn owner_url(&self) -> &str {
        if self.migration_url.is_empty() { &self.url } else { &self.migration_url }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    pub url: String,
    pub s3_endpoint: String,
    pub s3_region: String,
    pub s3_access_key_id: String,
    pub s3_secret_access_key: String,
    pub s3_allow_http: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    pub max_blobs: u64,
    pub max_blob_bytes: u64,
    pub max_keys: u64,
    pub max_key_bytes: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    pub fetch_urls: bool,
    pub fetch_timeout_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temporal {
    pub address: String,
    pub namespace: String,
    pub ui_url: String,
    pub codec_listen: String,
    pub codec_keys: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatcher {
    pub concurrency: usize,
    pub sweep_seconds: u64,
    pub claim_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    pub queue: String,
    pub max_compute: usize,
    pub max_activities: usize,
    pub max_workflow_tasks: usize,
    pub metrics_listen: String,
    pub attestation_key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fhe {
    pub key_folder: String,
    pub children: usize,
    pub child_memory_mib: u64,
    pub checkpoint_pbs: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    pub rpc_url: String,
    pub chain_id: u64,
    pub registry: String,
    pub confirmer_key: String,
    pub confirmer_keystore: String,
    pub confirmer_password: String,
    pub confirmer_password_file: String,
    pub confirmer_signer_url: String,
    pub confirmer_aws_key: String,
    pub confirmer_address: String,
    pub deployer_key: String,
    pub deployer_keystore: String,
    pub deployer_password: String,
    pub deployer_password_file: String,
    pub deployer_signer_url: String,
    pub deployer_aws_key: String,
    pub deployer_address: String,
    pub confirmations: u64,
    pub batch_max_jobs: u32,
    pub batch_max_age_ms: u64,
    pub fee_cap_gwei: u64,
    pub tip_cap_gwei: u64,
    pub fee_patience_seconds: u64,
    pub low_balance_eth: String,
    pub rpc_timeout_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kms {
    pub url: String,
    pub listen: String,
    pub data_dir: String,
    pub storage_secret: String,
    pub api_credential: String,
    pub worker_credential: String,
    pub certificate_file: String,
    pub key_file: String,
    pub authority_file: String,
    pub rpc_urls: String,
    pub rpc_quorum: usize,
    pub registry_code_hash: String,
    pub confirmations: u64,
    pub worker_addresses: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    pub lago_url: String,
    pub lago_key: String,
    pub default_plan: String,
    pub webhook_url: String,
    pub invoiced_within_hours: u64,
}

impl Billing {
    /// How long after its end a month is on a final invoice.
    #[must_use]
    pub fn invoiced_within(&self) -> Duration {
        Duration::from_secs(self.invoiced_within_hours.saturating_mul(3600))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metering {
    pub reporter_seconds: u64,
    pub flush_seconds: u64,
    pub hours_seconds: u64,
    pub reconcile_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Development {
    pub compute_pause_ms: u64,
    pub compute_pause_at: ComputePause,
    pub kms_seed_dir: String,
    pub fetch_hosts: String,
    pub fetch_authority_file: String,
    pub chain_may_forget: bool,
}

/// Where a plain computation pauses.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ComputePause {
    Start,
    Checkpoint,
    /// Nowhere: it computes for as long.
    Busy,
}
