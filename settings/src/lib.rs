//! The one place for configuration: `config.default.toml` documents every key, `sections.rs` gives them types.
//!
//! Layers, later ones win: the defaults, an optional file, environment variables `ZAMA__SECTION__KEY`.

mod bounds;
mod keepers;
mod key_manager;
mod limits;
mod oidc;
mod production;
mod sections;
mod signing;

use std::path::Path;

use anyhow::{Context, Result};
use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

pub use keepers::Keeper;
pub use limits::{Limits, Plan};
pub use oidc::{Oidc, OidcIssuer};
pub use sections::{
    Api, Auth, Billing, Blobs, Chain, ComputePause, Database, Development, Dispatcher, Egress, Fhe, Kms, Log,
    LogFormat, Metering, Retirement, Temporal, Uploads, Worker,
};
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
mod tests;
