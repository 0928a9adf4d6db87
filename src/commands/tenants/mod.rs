//! `zama-jobs tenants`: what operators do for a tenant; what its own admins do goes through the API, and its plan is one of
//! its rules (`zama-jobs policy`).

mod close;
mod create;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jobs::TenantId;
use serde_json::{Value, json};
use settings::Settings;
use store::tenants::{self, FailedJobs, Tenant};

use super::{Role, parts, process};
use crate::output;

#[derive(Subcommand)]
pub enum TenantsCommand {
    /// Make a tenant, and its first admin; repeating it changes nothing.
    Create(create::CreateArgs),
    /// List tenants by name, without their sandboxes.
    List,
    /// Show a tenant.
    Show(TenantArgs),
    /// Close a tenant for good, and terminate its subscription once all that it used is billed; repeating it changes
    /// nothing.
    Close(close::CloseArgs),
}

/// A command about one tenant.
#[derive(Args)]
pub struct TenantArgs {
    /// The tenant.
    tenant: TenantId,
}

/// How the commands answer.
#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
}

impl Format {
    fn answer(self, document: &Value, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Text => output::text(text())?,
            Self::Json => output::document(document)?,
        }
        Ok(())
    }
}

/// # Errors
/// The database is away, or there is no such tenant.
pub fn run(settings: &Settings, command: &TenantsCommand, json: bool) -> Result<()> {
    let format = if json { Format::Json } else { Format::Text };
    process::run(settings, Role::Tool, |_stop| async {
        match command {
            TenantsCommand::Create(args) => Box::pin(create::run(settings, args, format)).await,
            TenantsCommand::List => list(settings, format).await,
            TenantsCommand::Show(args) => show(settings, &args.tenant, format).await,
            TenantsCommand::Close(args) => close::run(settings, args, format).await,
        }
    })
}

async fn list(settings: &Settings, format: Format) -> Result<()> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let tenants = tenants::list(&pool).await?;
    let document = json!({ "data": tenants.iter().map(document).collect::<Vec<_>>() });
    format.answer(&document, || {
        tenants.iter().map(|tenant| format!("{:<30} {}\n", tenant.id.as_str(), tenant.plan)).collect()
    })
}

async fn show(settings: &Settings, tenant: &TenantId, format: Format) -> Result<()> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let found = tenants::find(&pool, tenant.as_str()).await?.with_context(|| format!("there is no tenant {tenant}"))?;
    format.answer(&document(&found), || text(&found))
}

fn document(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id, "plan": tenant.plan, "test_mode": tenant.is_sandbox, "created_at": tenant.created_at,
        "billing_ready": tenant.billing_ready,
        "settings": {
            "confirm_failed": tenant.failed_jobs == FailedJobs::Confirmed,
            "requires_credits": tenant.credits.is_in_force()
        }
    })
}

fn text(tenant: &Tenant) -> String {
    let failed = if tenant.failed_jobs == FailedJobs::Confirmed { "confirmed on chain" } else { "not confirmed" };
    let billing = match (tenant.is_sandbox, tenant.billing_ready) {
        (true, _) => "a sandbox, never billed",
        (false, true) => "customer and subscription are there",
        (false, false) => "not there yet: the reporter makes customer and subscription within a turn",
    };
    let created = tenant.created_at.format("%Y-%m-%d %H:%M:%SZ");
    format!(
        "tenant       {}\nplan         {}\ncreated      {created}\nfailed jobs  {failed}\nbilling      {billing}\n",
        tenant.id, tenant.plan
    )
}

/// A plan's name: those that there are stand in the configuration, and a name that nobody knows has the limits of
/// `default`.
fn plan(text: &str) -> Result<String, String> {
    let valid = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if valid && (1..=63).contains(&text.len()) { Ok(text.to_owned()) } else { Err("is no name of a plan".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_told_as_it_is() {
        let tenant = Tenant {
            id: "acme".parse().unwrap(),
            plan: "team".to_owned(),
            created_at: "2026-03-14T09:26:53Z".parse().unwrap(),
            billing_ready: false,
            failed_jobs: FailedJobs::Confirmed,
            credits: store::limits::rules::CreditRule::Optional,
            is_sandbox: false,
        };
        let told = text(&tenant);
        assert!(
            told.starts_with("tenant       acme\nplan         team\ncreated      2026-03-14 09:26:53Z\n"),
            "{told}"
        );
        assert!(told.contains("failed jobs  confirmed on chain\n"), "{told}");
        assert!(
            told.ends_with("billing      not there yet: the reporter makes customer and subscription within a turn\n")
        );
        assert!(text(&Tenant { is_sandbox: true, ..tenant }).ends_with("billing      a sandbox, never billed\n"));
    }

    #[test]
    fn plans_have_names() {
        assert!(["default", "team", "a_b-2"].iter().all(|name| plan(name).is_ok()));
        assert!(["", "Team", "a b", &"x".repeat(64)].iter().all(|name| plan(name).is_err()));
    }
}
