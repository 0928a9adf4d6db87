//! What the configuration says of another issuer, checked when the server starts.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jobs::{Role, TenantId, UserId};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use thiserror::Error;

/// Algorithms that an issuer may sign with; a shared secret is no signature.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What stands for every tenant, under its own name.
const ANY_TENANT: &str = "*";

/// Longest name of an issuer, so that it fits into its users' names.
const LONGEST_NAME: usize = 30;

/// An issuer as `[oidc.issuers.NAME]` has it; lists have commas between.
#[derive(Clone, Debug, Default)]
pub struct IssuerConfig {
    /// Users' names begin with it.
    pub name: String,
    /// `iss`, and where its configuration is found.
    pub issuer: String,
    /// `aud` that its access tokens carry.
    pub audience: String,
    /// `azp` or `client_id` that they carry; empty: any.
    pub client_ids: String,
    pub algorithms: String,
    /// A claim's name, or a JSON pointer into the claims.
    pub role_claim: String,
    /// `value=role`.
    pub roles: String,
    /// A tenant for all of its users; else the claim says.
    pub tenant: String,
    pub tenant_claim: String,
    /// `value=tenant`, a tenant that the claim names itself, or `*`.
    pub tenants: String,
    /// Values of `amr` and `acr` of which one says that a second factor was used.
    pub mfa_amr: String,
    pub mfa_acr: String,
}

/// What is wrong with an issuer's configuration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{key}: {reason}")]
pub struct InvalidRules {
    pub key: &'static str,
    pub reason: String,
}

/// An issuer's configuration, read.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub name: String,
    pub issuer: String,
    pub audience: String,
    pub clients: BTreeSet<String>,
    pub algorithms: Vec<Algorithm>,
    pub role_claim: ClaimPath,
    pub roles: BTreeMap<String, Role>,
    pub tenant: TenantRule,
    pub mfa: Mfa,
}

/// Where a claim is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClaimPath {
    Name(String),
    /// RFC 6901.
    Pointer(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TenantRule {
    Fixed(TenantId),
    Claim { path: ClaimPath, tenants: Tenants },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tenants {
    /// The claim's value is the tenant's name.
    Any,
    Listed(BTreeMap<String, TenantId>),
}

/// What says that a second factor was used (RFC 8176).
#[derive(Clone, Debug, Default)]
pub(super) struct Mfa {
    pub amr: BTreeSet<String>,
    pub acr: Vec<String>,
}

impl ClaimPath {
    fn read(text: &str) -> Self {
        if text.starts_with('/') { Self::Pointer(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }

    pub(super) fn of<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Name(name) => claims.get(name),
            Self::Pointer(pointer) => claims.pointer(pointer),
        }
    }
}

impl Rules {
    pub(super) fn read(config: &IssuerConfig) -> Result<Self, InvalidRules> {
        let wrong = |key, reason: &str| InvalidRules { key, reason: reason.to_owned() };
        let required = |key, value: &str| if value.is_empty() { Err(wrong(key, "is missing")) } else { Ok(()) };
        // Users' names are made of it.
        if config.name.len() > LONGEST_NAME || config.name.parse::<UserId>().is_err() {
            return Err(wrong("the name", "is not 1 to 30 of a-z, 0-9 and -"));
        }
        required("issuer", &config.issuer)?;
        required("audience", &config.audience)?;
        required("role_claim", &config.role_claim)?;
        let clients: BTreeSet<String> = list(&config.client_ids).map(str::to_owned).collect();
        if clients.contains(&config.audience) {
            // An ID token's audience is its client: it would pass for an access token.
            return Err(wrong("audience", "is a client's id: access tokens must have an audience of their own"));
        }
        let roles = pairs("roles", &config.roles)?;
        if roles.is_empty() {
            return Err(wrong("roles", "is missing"));
        }
        let acr: Vec<String> = list(&config.mfa_acr).map(str::to_owned).collect();
        // They stand in a header, within quotes and with spaces between.
        if acr.iter().any(|value| !value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))) {
            return Err(wrong("mfa_acr", "holds a space, a quote or what is not ASCII"));
        }
        Ok(Self {
            name: config.name.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            clients,
            algorithms: algorithms(&config.algorithms)?,
            role_claim: ClaimPath::read(&config.role_claim),
            roles,
            tenant: tenant_rule(config)?,
            mfa: Mfa { amr: list(&config.mfa_amr).map(str::to_owned).collect(), acr },
        })
    }
}

fn tenant_rule(config: &IssuerConfig) -> Result<TenantRule, InvalidRules> {
    let wrong = |key, reason: &str| InvalidRules { key, reason: reason.to_owned() };
    match (config.tenant.as_str(), config.tenant_claim.as_str()) {
        ("", "") => Err(wrong("tenant", "is missing, and so is tenant_claim")),
        ("", claim) => {
            let tenants = match config.tenants.trim() {
                "" => return Err(wrong("tenants", "is missing: which values of tenant_claim mean which tenant")),
                ANY_TENANT => Tenants::Any,
                _ => Tenants::Listed(pairs("tenants", &config.tenants)?),
            };
            Ok(TenantRule::Claim { path: ClaimPath::read(claim), tenants })
        }
        (tenant, "") => match tenant.parse::<TenantId>() {
            Ok(tenant) if !tenant.is_sandbox() => Ok(TenantRule::Fixed(tenant)),
            _ => Err(wrong("tenant", "is no tenant's name")),
        },
        _ => Err(wrong("tenant", "and tenant_claim exclude each other")),
    }
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, InvalidRules> {
    let read = |name: &str| name.parse::<Algorithm>().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
    let all: Option<Vec<Algorithm>> = list(text).map(read).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| InvalidRules {
        key: "algorithms",
        reason: format!("is not one or more of {}", ALGORITHMS.map(|algorithm| format!("{algorithm:?}")).join(", ")),
    })
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// `value=meaning` with commas between; a value without a meaning means itself.
fn pairs<T: FromStr>(key: &'static str, text: &str) -> Result<BTreeMap<String, T>, InvalidRules> {
    let pair = |item: &str| -> Result<(String, T), InvalidRules> {
        let (value, meaning) = item.rsplit_once('=').unwrap_or((item, item));
        let (value, meaning) = (value.trim(), meaning.trim());
        let read = meaning.parse().ok().filter(|_| !value.is_empty());
        let meaning = read.ok_or_else(|| InvalidRules { key, reason: format!("`{item}` means nothing here") })?;
        Ok((value.to_owned(), meaning))
    };
    list(text).map(pair).collect()
}

#[cfg(test)]
pub(super) fn example() -> IssuerConfig {
    let text = |value: &str| value.to_owned();
    IssuerConfig {
        name: text("corp"),
        issuer: text("https://id.test/realms/zama"),
        audience: text("zama-jobs-api"),
        client_ids: text("zama-cli, zama-web"),
        algorithms: text("RS256,ES256"),
        role_claim: text("/realm_access/roles"),
        roles: text("zama-admin=admin, zama-lead=team_lead, developer"),
        tenant_claim: text("tenant"),
        tenants: text("Acme Inc.=acme, globex"),
        mfa_amr: text("otp,hwk"),
        mfa_acr: text("gold"),
        ..IssuerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_read() {
        let rules = Rules::read(&example()).unwrap();
        assert_eq!(rules.roles["zama-admin"], Role::Admin);
        assert_eq!(rules.roles["developer"], Role::Developer, "a value that means itself");
        let TenantRule::Claim { path, tenants: Tenants::Listed(tenants) } = rules.tenant else { panic!() };
        assert_eq!(path, ClaimPath::Name("tenant".to_owned()));
        assert_eq!((tenants["Acme Inc."].as_str(), tenants["globex"].as_str()), ("acme", "globex"));
        assert_eq!(rules.role_claim, ClaimPath::Pointer("/realm_access/roles".to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        type Change = fn(&mut IssuerConfig);
        let changes: [(&str, Change); 15] = [
            ("the name", |config| config.name = "Corp".to_owned()),
            ("the name", |config| config.name = "c".repeat(31)),
            ("issuer", |config| config.issuer.clear()),
            ("audience", |config| config.audience.clear()),
            ("audience", |config| config.audience = "zama-cli".to_owned()),
            ("algorithms", |config| config.algorithms.clear()),
            ("algorithms", |config| config.algorithms = "RS256,HS256".to_owned()),
            ("algorithms", |config| config.algorithms = "none".to_owned()),
            ("role_claim", |config| config.role_claim.clear()),
            ("roles", |config| config.roles.clear()),
            ("roles", |config| config.roles = "x=root".to_owned()),
            ("tenants", |config| config.tenants.clear()),
            ("tenants", |config| config.tenants = "x=A/B".to_owned()),
            ("tenant", |config| config.tenant = "acme".to_owned()),
            ("mfa_acr", |config| config.mfa_acr = "a\"b".to_owned()),
        ];
        for (key, change) in changes {
            let mut config = example();
            change(&mut config);
            assert_eq!(Rules::read(&config).err().map(|wrong| wrong.key), Some(key), "{config:?}");
        }
        let of_a_sandbox = IssuerConfig { tenant: "acme--test".to_owned(), tenant_claim: String::new(), ..example() };
        assert_eq!(Rules::read(&of_a_sandbox).unwrap_err().key, "tenant");
    }
}
