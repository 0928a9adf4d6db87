//! The one place for configuration: `config.default.toml` documents every key, this file gives them types.
//!
//! Layers, later ones win: the defaults, an optional file, environment variables `ZAMA__SECTION__KEY`.

mod bounds;
mod keepers;
mod key_manager;
mod limits;
mod oidc;
mod production;
mod signing;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

pub use keepers::Keeper;
pub use limits::{Limits, Plan};
pub use oidc::{Oidc, OidcIssuer};
pub use signing::SigningAccount;

/// The commented defaults, also printed by `zama-jobs config`.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub environment: Deployment,
    pub log: Log,
    pub api: Api,
    pub auth: Auth,
    pub oidc: Oidc,
    pub limits: Limits,
    pub database: Database,
    pub blobs: Blobs,
    pub uploads: Uploads,
    pub egress: Egress,
    pub temporal: Temporal,
    pub dispatcher: Dispatcher,
    pub worker: Worker,
    pub fhe: Fhe,
    pub chain: Chain,
    pub kms: Kms,
    pub billing: Billing,
    pub metering: Metering,
    pub development: Development,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Deployment {
    Development,
    Production,
}

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

impl Settings {
    /// Origin under which clients reach the API, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        self.api.public_url.trim_end_matches('/')
    }

    /// `iss` of access tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        if self.auth.issuer.is_empty() { self.public_url() } else { &self.auth.issuer }
    }

    /// Reads defaults, the file if one is given, and the environment.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, a value of the wrong type, or a development secret in production.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        Self::load_with(file, std::env::vars())
    }

    /// As [`Settings::load`], with these variables in place of the process's own.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_with(file: Option<&Path>, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut layers = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = file {
            layers = layers.add_source(File::from(path).format(FileFormat::Toml));
        }
        let environment = Environment::with_prefix("ZAMA")
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables.into_iter().collect()));
        let settings: Self = layers
            .add_source(environment)
            .build()
            .context("Failed to read the configuration")?
            .try_deserialize()
            .context("The configuration is not valid")?;
        bounds::check(&settings)?;
        production::check(&settings)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_complete() {
        let settings = Settings::load(None).expect("the defaults alone are a valid configuration");
        assert_eq!(settings.environment, Deployment::Development);
    }

    #[test]
    fn the_issuer_is_the_apis_address_unless_another_is_named() {
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(key, value)| (format!("ZAMA__{key}"), (*value).to_owned()));
            Settings::load_with(None, variables).expect("sound settings").issuer().to_owned()
        };
        let api = ("API__PUBLIC_URL", "https://api.example.com/");
        assert_eq!(of(&[api]), "https://api.example.com");
        assert_eq!(of(&[api, ("AUTH__ISSUER", "https://id.example.com/")]), "https://id.example.com/");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("zama.toml");
        std::fs::write(&file, "[api]\nlissen = \"127.0.0.1:1\"\n").expect("the file is written");
        let error = format!("{:#}", Settings::load(Some(&file)).expect_err("a misspelt key is refused"));
        assert!(error.contains("lissen"), "{error}");
    }

    #[test]
    fn variables_are_read_as_their_keys_want_them() {
        let set = |key: &str, value: &str| {
            Settings::load_with(None, [(format!("ZAMA__{key}"), value.to_owned())])
                .map_err(|error| format!("{error:#}"))
        };
        let of_digits = set("BILLING__LAGO_KEY", "00712").expect("a secret of digits alone");
        assert_eq!(of_digits.billing.lago_key, "00712");
        assert_eq!(set("METERING__REPORTER_SECONDS", "7").expect("a number").metering.reporter_seconds, 7);
        assert!(!set("DEVELOPMENT__CHAIN_MAY_FORGET", "false").expect("a truth value").development.chain_may_forget);
        let refused = set("METERING__REPORTER_SECONDS", "soon").expect_err("no number");
        assert!(refused.contains("reporter_seconds") && refused.contains("soon"), "{refused}");
    }

    /// Every key of the defaults with the variable that overrides it and the default's text.
    fn variables() -> Vec<(String, String)> {
        fn flatten(path: &str, value: toml::Value, variables: &mut Vec<(String, toml::Value)>) {
            match value {
                toml::Value::Table(table) => {
                    for (key, value) in table {
                        let path = if path.is_empty() { key } else { format!("{path}__{key}") };
                        flatten(&path, value, variables);
                    }
                }
                value => variables.push((path.to_owned(), value)),
            }
        }
        let defaults: toml::Table = DEFAULTS.parse().expect("the defaults are TOML");
        let mut variables = Vec::new();
        flatten("", toml::Value::Table(defaults), &mut variables);
        let text = |value: toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variables.into_iter().map(|(path, value)| (format!("ZAMA__{}", path.to_uppercase()), text(value))).collect()
    }

    #[test]
    fn every_key_is_an_environment_variable() {
        // Whatever type a key has: as a text it differs from every default, and no number or truth value is spelt so.
        const OTHER: &str = "another value";
        let load = |variable: &str, value: &str| {
            let settings = Settings::load_with(None, [(variable.to_owned(), value.to_owned())]);
            settings.map(|settings| format!("{settings:?}")).map_err(|error| format!("{error:#}"))
        };
        let defaults = format!("{:?}", Settings::load_with(None, []).expect("the defaults are valid"));
        let variables = variables();
        assert!(variables.len() > 80, "all of {} keys", variables.len());
        for (variable, text) in variables {
            assert_eq!(load(&variable, &text).as_ref(), Ok(&defaults), "{variable}={text}");
            match load(&variable, OTHER) {
                Ok(settings) => assert!(settings.contains(OTHER), "{variable} is not read: {settings}"),
                Err(refusal) => {
                    let key = variable.rsplit("__").next().expect("a key").to_lowercase();
                    assert!(refusal.contains(&key), "{variable} is not named: {refusal}");
                }
            }
        }
    }

    #[test]
    fn production_refuses_hosts_that_are_not_public() {
        let variables = [("ENVIRONMENT", "production"), ("DEVELOPMENT__FETCH_HOSTS", "blobs.test=127.0.0.1")];
        let variables = variables.map(|(key, value)| (format!("ZAMA__{key}"), value.to_owned()));
        let error = format!("{:#}", Settings::load_with(None, variables).expect_err("a private host is refused"));
        assert!(error.contains("development.fetch_hosts"), "{error}");
    }

    #[test]
    fn production_refuses_development_secrets() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("zama.toml");
        std::fs::write(&file, "environment = \"production\"\n").expect("the file is written");
        let error = format!("{:#}", Settings::load(Some(&file)).expect_err("development secrets are refused"));
        for key in [
            "database.url",
            "database.migration_url",
            "temporal.codec_keys",
            "chain.confirmer_key",
            "chain.deployer_key",
            "billing.lago_key",
            "kms.storage_secret",
            "kms.api_credential",
            "kms.worker_credential",
            "kms.worker_addresses",
            "auth.keys_secret",
        ] {
            assert!(error.contains(key), "{key} is not named in: {error}");
        }
    }
}
