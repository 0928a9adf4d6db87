//! Where another issuer's keys come from: its configuration (OpenID Connect Discovery) and the key set that it names.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::{Key, KeySet};

/// Where the configuration is, below the issuer.
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// Largest document, in bytes: sets of a few keys with their certificates have some ten thousand.
const MAX_BYTES: usize = 256 << 10;

/// How issuers are reached.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// For one document, from the connection to its last byte.
    pub timeout: Duration,
    pub scheme: Scheme,
}

/// What an issuer's documents may come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Https,
    /// Or plain http, in development.
    Any,
}

pub(super) struct Source {
    issuer: String,
    http: Client,
}

/// What is needed of a configuration.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(super) fn new(issuer: &str, reach: Reach) -> Result<Self> {
        let http = Client::builder()
            .https_only(reach.scheme == Scheme::Https)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(reach.timeout)
            .timeout(reach.timeout)
            .user_agent(concat!("zama-jobs/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { issuer: issuer.to_owned(), http })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that the issuer publishes now.
    pub(super) async fn fetch(&self) -> Result<HashMap<String, Key>> {
        let at = format!("{}{CONFIGURATION}", self.issuer.trim_end_matches('/'));
        let configuration: Configuration = self.document(&at).await.context("the configuration")?;
        // Whoever serves another issuer's configuration speaks for nobody here (OpenID Connect Discovery 4.3).
        ensure!(configuration.issuer == self.issuer, "the configuration is {}'s", configuration.issuer);
        let set: KeySet = self.document(&configuration.jwks_uri).await.context("the key set")?;
        let keys = set.signing();
        ensure!(!keys.is_empty(), "the key set has no key that signs");
        Ok(keys)
    }

    async fn document<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let mut answer = self.http.get(url).header("accept", "application/json").send().await?;
        ensure!(answer.status() == StatusCode::OK, "the server answered {}", answer.status().as_u16());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            ensure!(bytes.len() + chunk.len() <= MAX_BYTES, "the answer has more than {MAX_BYTES} bytes");
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).context("the answer is not what it should be")
    }
}
