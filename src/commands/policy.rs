//! `zama-jobs policy`: a tenant's plan, and what it asks of its own requests.

use std::time::Duration;

use anyhow::{Result, bail};
use api::Networks;
use chrono::Utc;
use clap::{Args, Subcommand, ValueEnum};
use jobs::TenantId;
use serde_json::{Value, json};
use settings::Settings;
use store::audit::Note;
use store::limits::rules::{self, Change, CreditRule, Signature, TenantRules};
use store::{PgPool, limits};

use super::limits::request_keys;
use super::token::lifetime;
use super::{Role, closed, parts, process};
use crate::output;

/// What stands for a value that is not set.
const ANYWHERE: &str = "anywhere";
const PLANS_OWN: &str = "plan";

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Show a tenant's plan, networks, signature, keys and the units it holds of this month.
    Show {
        /// The tenant.
        tenant: TenantId,
    },
    /// Change them; all processes of the API heed it within seconds.
    Set(SetArgs),
    /// Make a key that requests are signed with, and print it; it is shown again by nothing but this command's output.
    NewKey {
        /// The tenant.
        tenant: TenantId,
        /// How long the keys before it stay in force, for example 24h; until further notice when not given.
        #[arg(long, value_parser = lifetime)]
        overlap: Option<Duration>,
    },
}

#[derive(Args)]
pub struct SetArgs {
    /// The tenant.
    tenant: TenantId,
    /// A plan of the configuration.
    #[arg(long)]
    plan: Option<String>,
    /// Networks that requests may come from, CIDR separated by commas, or `anywhere`.
    #[arg(long)]
    allow: Option<String>,
    /// Whether every request must be signed.
    #[arg(long)]
    signature: Option<SignatureArg>,
    /// Compute units of a month beyond which nothing is admitted, or `plan`; never more than the plan's.
    #[arg(long, value_parser = ceiling)]
    compute_ceiling: Option<Ceiling>,
    /// The same of FHE units.
    #[arg(long, value_parser = ceiling)]
    fhe_ceiling: Option<Ceiling>,
    /// Whether nothing is admitted beyond what the tenant has paid before; else its own admins say so.
    #[arg(long)]
    credits: Option<CreditsArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum CreditsArg {
    Required,
    Optional,
}

#[derive(Clone, Copy, ValueEnum)]
enum SignatureArg {
    Required,
    Optional,
}

/// A ceiling of the tenant's own, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ceiling(Option<u64>);

/// # Errors
/// There is no such tenant or plan, the tenant is closed, or the database is away.
pub fn run(settings: &Settings, command: &PolicyCommand, as_json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let pool = parts::pool(settings)?;
        store::reach(&pool).await?;
        match command {
            PolicyCommand::Show { tenant } => show(&pool, tenant, as_json).await,
            PolicyCommand::Set(args) => {
                set(settings, &pool, args).await?;
                show(&pool, &args.tenant, as_json).await
            }
            PolicyCommand::NewKey { tenant, overlap } => {
                known(&pool, tenant).await?;
                closed::refuse(&pool, tenant).await?;
                let others_until = overlap.map(|overlap| Utc::now() + overlap);
                let about = json!({ "others_until": others_until });
                let note = Note::by_operator(tenant, "policy new-key", format!("/v1/tenants/{tenant}"), about);
                let id = rules::new_key(&pool, tenant, others_until, &note).await?;
                let key = request_keys(settings)?.of(tenant, id);
                match as_json {
                    true => output::line(json!({"tenant": tenant, "id": id, "key": key}))?,
                    false => output::line(key)?,
                }
                Ok(())
            }
        }
    })
}

async fn known(pool: &PgPool, tenant: &TenantId) -> Result<TenantRules> {
    match rules::of(pool, &[tenant.to_string()]).await?.pop() {
        Some(rules) => Ok(rules),
        None => bail!("there is no tenant {tenant}"),
    }
}

async fn set(settings: &Settings, pool: &PgPool, args: &SetArgs) -> Result<()> {
    if let Some(plan) = args.plan.as_ref().filter(|plan| !settings.limits.plans.contains_key(*plan)) {
        bail!("there is no plan {plan} in the configuration");
    }
    let allowed_networks = args.allow.as_deref().map(networks).transpose().map_err(anyhow::Error::msg)?;
    let change = Change {
        plan: args.plan.clone(),
        allowed_networks,
        signature: args.signature.map(|signature| match signature {
            SignatureArg::Required => Signature::Required,
            SignatureArg::Optional => Signature::Optional,
        }),
        compute_ceiling: args.compute_ceiling.map(|ceiling| ceiling.0),
        fhe_ceiling: args.fhe_ceiling.map(|ceiling| ceiling.0),
        credits_enforced: args.credits.map(|credits| matches!(credits, CreditsArg::Required)),
    };
    if known(pool, &args.tenant).await?.keys.is_empty() && change.signature == Some(Signature::Required) {
        bail!("{0} has no key to sign with: zama-jobs policy new-key {0}", args.tenant);
    }
    let about = json!({
        "plan": change.plan, "allowed_networks": change.allowed_networks,
        "signature_required": change.signature.map(|signature| signature == Signature::Required),
        "compute_ceiling": change.compute_ceiling, "fhe_ceiling": change.fhe_ceiling,
        "credits_enforced": change.credits_enforced,
    });
    let note = Note::by_operator(&args.tenant, "policy set", format!("/v1/tenants/{}", args.tenant), about);
    if !rules::change(pool, &args.tenant, &change, &note).await? {
        closed::refuse(pool, &args.tenant).await?;
        bail!("there is no tenant {}", args.tenant);
    }
    Ok(())
}

async fn show(pool: &PgPool, tenant: &TenantId, as_json: bool) -> Result<()> {
    let rules = known(pool, tenant).await?;
    let held = limits::held(pool, tenant, Utc::now()).await?;
    let document = json!({
        "tenant": tenant,
        "plan": rules.plan,
        "allowed_networks": rules.allowed_networks,
        "signature": if rules.signature == Signature::Required { "required" } else { "optional" },
        "request_keys": rules.keys,
        "compute_ceiling": rules.ceilings.compute,
        "fhe_ceiling": rules.ceilings.fhe,
        "compute_units_held": held.compute,
        "fhe_units_held": held.fhe,
        "credits": match rules.credits {
            CreditRule::Optional => "optional",
            CreditRule::Required => "required",
            CreditRule::Enforced => "enforced",
        },
    });
    if as_json {
        output::line(&document)?;
        return Ok(());
    }
    for (name, value) in document.as_object().into_iter().flatten() {
        output::line(format_args!("{name:<20} {}", told(value)))?;
    }
    Ok(())
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => PLANS_OWN.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(told).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn networks(text: &str) -> Result<Vec<String>, String> {
    if text == ANYWHERE {
        return Ok(Vec::new());
    }
    let networks: Vec<String> = text.split(',').map(|network| network.trim().to_owned()).collect();
    if Networks::read(networks.iter().map(String::as_str))?.is_empty() {
        return Err(format!("no network is named; for all of them say {ANYWHERE}"));
    }
    Ok(networks.into_iter().filter(|network| !network.is_empty()).collect())
}

fn ceiling(text: &str) -> Result<Ceiling, String> {
    if text == PLANS_OWN {
        return Ok(Ceiling(None));
    }
    let units = text.parse().ok().filter(|units| *units <= i64::MAX as u64);
    units.map(|units| Ceiling(Some(units))).ok_or_else(|| format!("is neither a number of units nor `{PLANS_OWN}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_checked_before_they_are_stored() {
        assert_eq!(networks("192.0.2.0/24, 2001:db8::/32"), Ok(vec!["192.0.2.0/24".into(), "2001:db8::/32".into()]));
        assert_eq!(networks("anywhere"), Ok(Vec::new()));
        for bad in ["", " , ", "nowhere", "192.0.2.0/240"] {
            assert!(networks(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_ceiling_is_a_number_or_the_plans() {
        assert_eq!((ceiling("0"), ceiling("plan")), (Ok(Ceiling(Some(0))), Ok(Ceiling(None))));
        for bad in ["", "-1", "1.5", "none", "9223372036854775808"] {
            assert!(ceiling(bad).is_err(), "{bad:?}");
        }
    }
}
