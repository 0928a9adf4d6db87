//! Other issuers (OpenID Connect) whose access tokens are accepted.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::{Deployment, Settings};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    pub timeout_seconds: u64,
    pub stale_hours: u64,
    #[serde(default)]
    pub issuers: BTreeMap<String, OidcIssuer>,
}

/// Lists have commas between.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcIssuer {
    pub issuer: String,
    pub audience: String,
    #[serde(default)]
    pub client_ids: String,
    #[serde(default = "algorithms")]
    pub algorithms: String,
    pub role_claim: String,
    pub roles: String,
    #[serde(default)]
    pub tenant: String,
    #[serde(default)]
    pub tenant_claim: String,
    #[serde(default)]
    pub tenants: String,
    #[serde(default = "mfa_amr")]
    pub mfa_amr: String,
    #[serde(default)]
    pub mfa_acr: String,
}

fn algorithms() -> String {
    "RS256,PS256,ES256,EdDSA".to_owned()
}

fn mfa_amr() -> String {
    "mfa".to_owned()
}

/// Whoever is on the way to an issuer could give us keys of its own. What else an issuer needs is checked by whoever
/// believes its tokens.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    for (name, issuer) in &settings.oidc.issuers {
        let is_plain = !issuer.issuer.starts_with("https://");
        let is_development = settings.environment == Deployment::Development && issuer.issuer.starts_with("http://");
        ensure!(!is_plain || is_development, "oidc.issuers.{name}.issuer must be https (http in development alone)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    fn with(settings: &[(&str, &str)]) -> Result<Settings, String> {
        let needed = [("AUDIENCE", "api"), ("ROLE_CLAIM", "roles"), ("ROLES", "admin"), ("TENANT", "acme")];
        let needed = needed.map(|(key, value)| (format!("ZAMA__OIDC__ISSUERS__CORP__{key}"), value.to_owned()));
        let own = settings.iter().map(|(key, value)| (format!("ZAMA__{key}"), (*value).to_owned()));
        Settings::load_with(None, needed.into_iter().chain(own)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_issuer_is_configured_by_variables_too() {
        let settings = with(&[("OIDC__ISSUERS__CORP__ISSUER", "https://id.example.com")]).expect("an issuer");
        let corp = &settings.oidc.issuers["corp"];
        assert_eq!((corp.issuer.as_str(), corp.tenant.as_str()), ("https://id.example.com", "acme"));
        assert_eq!((corp.mfa_amr.as_str(), corp.algorithms.as_str()), ("mfa", "RS256,PS256,ES256,EdDSA"));
        let refused = with(&[]).expect_err("no issuer");
        assert!(refused.contains("issuer"), "{refused}");
    }

    #[test]
    fn plain_http_is_for_development() {
        let plain = ("OIDC__ISSUERS__CORP__ISSUER", "http://127.0.0.1:8081/realms/zama");
        assert!(with(&[plain]).is_ok());
        let refused = with(&[plain, ("ENVIRONMENT", "production")]).expect_err("production");
        assert!(refused.contains("oidc.issuers.corp.issuer must be https"), "{refused}");
        assert!(with(&[("OIDC__ISSUERS__CORP__ISSUER", "id.example.com")]).is_err());
    }
}
