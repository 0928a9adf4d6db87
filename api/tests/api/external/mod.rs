//! Tokens of other issuers, as a small OpenID provider in this process makes them; and the verbs of these tests.

mod attacks;
mod identities;
mod keys;
mod provider;

use std::time::Duration;

use api::token::external::{ExternalIssuers, IssuerConfig, Reach, Scheme, Times};

pub use provider::{Manner, Provider, ProviderKey};

use crate::app::{ISSUER, TestApp};

/// `aud` of access tokens.
pub const API: &str = "zama-jobs-api";
/// `azp` of them.
pub const CLIENT: &str = "corp-cli";

/// Keys are read when a token comes whose key is not known, and then never again.
pub const ONCE: Times =
    Times { refresh: Duration::from_secs(3600), pause: Duration::from_secs(3600), stale: Duration::from_secs(3600) };

/// The same, but whenever a key is not known.
pub const ALWAYS: Times = Times { pause: Duration::ZERO, ..ONCE };

/// Long enough for a loaded machine.
pub const REACH: Reach = Reach { timeout: Duration::from_secs(20), scheme: Scheme::Any };

/// What is configured of a provider.
pub fn config(name: &str, provider: &Provider) -> IssuerConfig {
    let text = |value: &str| value.to_owned();
    IssuerConfig {
        name: text(name),
        issuer: provider.issuer.clone(),
        audience: text(API),
        client_ids: text(CLIENT),
        algorithms: text("RS256,ES256"),
        role_claim: text("/realm_access/roles"),
        roles: text("zama-admin=admin,zama-lead=team_lead,zama-developer=developer"),
        tenant_claim: text("org"),
        tenants: text("Acme Inc.=acme,Globex=globex"),
        mfa_amr: text("otp,hwk"),
        mfa_acr: text("gold"),
        ..IssuerConfig::default()
    }
}

pub fn issuers(configs: &[IssuerConfig], times: Times) -> ExternalIssuers {
    ExternalIssuers::new(configs, ISSUER, REACH, times).expect("sound rules")
}

/// A provider, and a server that accepts its tokens and has the tenant `acme`.
pub async fn corp(times: Times) -> (Provider, TestApp) {
    let provider = Provider::start().await;
    let app = TestApp::with_issuers(issuers(&[config("corp", &provider)], times)).await;
    store::tenants::ensure_tenant(&app.pool, &"acme".parse().unwrap(), "development").await.unwrap();
    (provider, app)
}
