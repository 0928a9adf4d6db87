//! From settings to the other issuers whose tokens are accepted.

use std::time::Duration;

use ::api::token::external::{ExternalIssuers, IssuerConfig, Reach, Scheme, Times};
use anyhow::Result;
use settings::{Deployment, OidcIssuer, Settings};

const HOUR: Duration = Duration::from_secs(3600);

/// # Errors
/// Settings that cannot be used.
pub fn issuers(settings: &Settings) -> Result<ExternalIssuers> {
    let oidc = &settings.oidc;
    let scheme = match settings.environment {
        Deployment::Development => Scheme::Any,
        Deployment::Production => Scheme::Https,
    };
    let reach = Reach { timeout: Duration::from_secs(oidc.timeout_seconds), scheme };
    let stale = HOUR.saturating_mul(u32::try_from(oidc.stale_hours).unwrap_or(u32::MAX));
    let configs: Vec<IssuerConfig> = oidc.issuers.iter().map(|(name, issuer)| config(name, issuer.clone())).collect();
    ExternalIssuers::new(&configs, settings.issuer(), reach, Times::with_stale(stale))
}

fn config(name: &str, issuer: OidcIssuer) -> IssuerConfig {
    IssuerConfig {
        name: name.to_owned(),
        issuer: issuer.issuer,
        audience: issuer.audience,
        client_ids: issuer.client_ids,
        algorithms: issuer.algorithms,
        role_claim: issuer.role_claim,
        roles: issuer.roles,
        tenant: issuer.tenant,
        tenant_claim: issuer.tenant_claim,
        tenants: issuer.tenants,
        mfa_amr: issuer.mfa_amr,
        mfa_acr: issuer.mfa_acr,
    }
}
