//! What the claims of another issuer's token mean here.

use chrono::{DateTime, Utc};
use jobs::{Role, Scope, Scopes, TenantId, UserId};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::rules::{Mfa, Rules, TenantRule, Tenants};

/// Longest `sub`, in bytes (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;

/// How our scopes begin. A token that names any of them has no others.
const OURS: &str = "jobs:";

/// Claims that stand in ID tokens alone.
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Kinds of Keycloak's tokens; its access tokens are `Bearer`.
const KIND: &str = "typ";
const BEARER: &str = "Bearer";

/// The claims of a token whose signature is its issuer's.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Value);

/// Somebody whom another issuer sent, by what the configuration makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// `sub`.
    pub subject: String,
    pub tenant: TenantId,
    pub role: Role,
    /// What the token allows, if its issuer was sure enough.
    pub scopes: Scopes,
    /// Whether a second factor was used.
    pub has_second_factor: bool,
    /// The name that it has here from its first request on.
    pub name: UserId,
    pub expires_at: DateTime<Utc>,
}

/// What a valid token lacks to mean somebody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmapped {
    Role,
    Tenant,
}

impl Claims {
    /// Whom the claims mean; `None` of a token that is no access token, or another client's.
    pub(super) fn stranger(&self, rules: &Rules) -> Option<Result<Stranger, Unmapped>> {
        if !self.is_access_token() || !self.is_for_client(rules) {
            return None;
        }
        // No database takes a NUL, and no issuer gives such a name.
        let is_name = |sub: &&str| (1..=MAX_SUBJECT).contains(&sub.len()) && !sub.contains(char::is_control);
        let subject = self.text("sub").filter(is_name)?.to_owned();
        let expires_at = DateTime::from_timestamp(self.time("exp")?, 0)?;
        Some(self.mapped(rules).and_then(|(tenant, role)| {
            let name = name(rules, &subject).ok_or(Unmapped::Tenant)?;
            let (scopes, has_second_factor) = (self.scopes(role), self.has_second_factor(&rules.mfa));
            Ok(Stranger { subject, tenant, role, scopes, has_second_factor, name, expires_at })
        }))
    }

    /// An issuer signs ID tokens with the same keys: they say who somebody is, and open nothing.
    fn is_access_token(&self) -> bool {
        match self.0.get(KIND) {
            Some(kind) => kind.as_str() == Some(BEARER),
            None => OF_ID_TOKENS.iter().all(|name| self.0.get(name).is_none()),
        }
    }

    /// The client that the token was given to: `client_id` (RFC 9068) or `azp`, which are the same where both stand.
    fn is_for_client(&self, rules: &Rules) -> bool {
        let named = ["client_id", "azp"].map(|name| self.0.get(name));
        let all_known = named.iter().flatten().all(|id| id.as_str().is_some_and(|id| rules.clients.contains(id)));
        rules.clients.is_empty() || all_known && named.iter().any(Option::is_some)
    }

    fn mapped(&self, rules: &Rules) -> Result<(TenantId, Role), Unmapped> {
        let values = rules.role_claim.of(&self.0).map(texts).unwrap_or_default();
        let role = values.iter().filter_map(|value| rules.roles.get(*value)).copied();
        let role = role.max_by_key(|role| role.scopes().iter().count()).ok_or(Unmapped::Role)?;
        Ok((self.tenant(&rules.tenant).ok_or(Unmapped::Tenant)?, role))
    }

    /// The one tenant that the claim means: who is in several is in none that we could know.
    fn tenant(&self, rule: &TenantRule) -> Option<TenantId> {
        let (path, tenants) = match rule {
            TenantRule::Fixed(tenant) => return Some(tenant.clone()),
            TenantRule::Claim { path, tenants } => (path, tenants),
        };
        let meant = |value: &&str| match tenants {
            Tenants::Any => value.parse().ok(),
            Tenants::Listed(tenants) => tenants.get(*value).cloned(),
        };
        let mut meant: Vec<TenantId> = texts(path.of(&self.0)?).iter().filter_map(meant).collect();
        meant.dedup();
        let [tenant]: [TenantId; 1] = meant.try_into().ok()?;
        Some(tenant).filter(|tenant| !tenant.is_sandbox())
    }

    /// What the role brings; less, where the token names scopes of ours.
    fn scopes(&self, role: Role) -> Scopes {
        let asked = self.text("scope").unwrap_or_default();
        if asked.split(' ').any(|word| word.starts_with(OURS)) {
            Scopes::read(asked).common(&role.scopes())
        } else {
            role.scopes()
        }
    }

    fn has_second_factor(&self, mfa: &Mfa) -> bool {
        let amr = self.0.get("amr").map(texts).unwrap_or_default();
        amr.iter().any(|value| mfa.amr.contains(*value))
            || self.text("acr").is_some_and(|acr| mfa.acr.iter().any(|value| value == acr))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Seconds since 1970; issuers may write parts of seconds (RFC 7519 section 2).
    fn time(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

impl Stranger {
    /// The scopes that need no second factor.
    #[must_use]
    pub fn scopes_without_second_factor(&self) -> Scopes {
        self.scopes.iter().filter(|scope| *scope != Scope::JobsAdmin).collect()
    }
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A name of its own for each `iss` and `sub`: what an issuer calls somebody may be a name of somebody else here.
fn name(rules: &Rules, subject: &str) -> Option<UserId> {
    let digest = Sha256::digest(format!("{}\0{subject}", rules.issuer));
    format!("{}-{}", rules.name, hex::encode(&digest[..16])).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rules::{IssuerConfig, example};
    use super::*;

    fn rules(config: &IssuerConfig) -> Rules {
        Rules::read(config).unwrap()
    }

    fn claims(changes: Value) -> Claims {
        let mut claims = json!({
            "iss": "https://id.test/realms/zama", "sub": "7c1e", "exp": 1_700_000_000, "azp": "zama-cli", "typ": "Bearer",
            "realm_access": {"roles": ["offline_access", "zama-lead"]}, "tenant": "Acme Inc."
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        Claims(claims)
    }

    fn of(changes: Value) -> Option<Result<Stranger, Unmapped>> {
        claims(changes).stranger(&rules(&example()))
    }

    #[test]
    fn claims_mean_a_role_and_a_tenant() {
        let lead = of(json!({})).unwrap().unwrap();
        assert_eq!((lead.tenant.as_str(), lead.role, lead.subject.as_str()), ("acme", Role::TeamLead, "7c1e"));
        assert_eq!(lead.scopes, Role::TeamLead.scopes());
        let both = of(json!({"realm_access": {"roles": ["developer", "zama-admin"]}})).unwrap().unwrap();
        assert_eq!(both.role, Role::Admin, "the one that brings most");
        assert_eq!(of(json!({"tenant": ["globex"]})).unwrap().unwrap().tenant.as_str(), "globex");
        assert_eq!(of(json!({"tenant": ["globex", "unknown"]})).unwrap().unwrap().tenant.as_str(), "globex");
    }

    #[test]
    fn what_is_not_mapped_is_nobody() {
        for role in [json!([]), json!("admin"), json!(["ZAMA-ADMIN"]), json!({"zama-admin": true}), Value::Null] {
            assert_eq!(of(json!({"realm_access": {"roles": role}})), Some(Err(Unmapped::Role)), "{role}");
        }
        for tenant in [json!("acme"), json!(""), json!(7), json!(["Acme Inc.", "globex"]), Value::Null] {
            assert_eq!(of(json!({"tenant": tenant})), Some(Err(Unmapped::Tenant)), "{tenant}");
        }
        let any = rules(&IssuerConfig { tenants: "*".to_owned(), ..example() });
        assert!(claims(json!({"tenant": "initech"})).stranger(&any).unwrap().is_ok());
        for no_name in ["acme--test", "Acme", "../acme", ""] {
            let meant = claims(json!({"tenant": no_name})).stranger(&any);
            assert_eq!(meant, Some(Err(Unmapped::Tenant)), "{no_name}");
        }
    }

    #[test]
    fn other_tokens_of_the_issuer_are_none_for_us() {
        for changes in [
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"typ": null, "nonce": "n"}),
            json!({"typ": null, "at_hash": "h"}),
            json!({"azp": "another"}),
            json!({"client_id": "another"}),
            json!({"azp": null}),
            json!({"azp": ["zama-cli"]}),
            json!({"sub": ""}),
            json!({"sub": "a\u{0}b"}),
            json!({"sub": "x".repeat(256)}),
            json!({"sub": null}),
        ] {
            assert_eq!(of(changes.clone()), None, "{changes}");
        }
        assert!(of(json!({"typ": null, "client_id": "zama-web"})).unwrap().is_ok());
    }

    #[test]
    fn a_second_factor_is_what_the_configuration_calls_one() {
        let has = |changes: Value| of(changes).unwrap().unwrap().has_second_factor;
        assert!(has(json!({"amr": ["pwd", "otp"]})) && has(json!({"acr": "gold"})));
        for none in
            [json!({"amr": ["pwd"]}), json!({"acr": "1"}), json!({"amr": "OTP"}), json!({"amr": {"otp": 1}}), json!({})]
        {
            assert!(!has(none.clone()), "{none}");
        }
    }

    #[test]
    fn scopes_of_ours_narrow_the_token_and_those_of_others_mean_nothing() {
        let scopes = |scope: &str| of(json!({"scope": scope})).unwrap().unwrap().scopes.to_string();
        assert_eq!(scopes("openid profile email"), Role::TeamLead.scopes().to_string());
        assert_eq!(scopes("openid jobs:read"), "jobs:read");
        assert_eq!(scopes("jobs:read jobs:admin"), "jobs:read");
        assert_eq!(scopes("jobs:everything"), "");
    }

    #[test]
    fn a_name_is_one_identitys() {
        let (corp, other) =
            (rules(&example()), rules(&IssuerConfig { issuer: "https://other.test".to_owned(), ..example() }));
        let names = [name(&corp, "a"), name(&corp, "b"), name(&other, "a")].map(Option::unwrap);
        assert!(names.iter().all(|name| name.as_str().starts_with("corp-") && name.as_str().len() == 37));
        assert!(names[0] != names[1] && names[0] != names[2]);
        assert_eq!(name(&corp, "a").as_ref(), Some(&names[0]));
    }
}
