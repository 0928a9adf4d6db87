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
    format.answer(&document, || tenants.iter().map(line).collect())
}

async fn show(settings: &Settings, tenant: &TenantId, format: Format) -> Result<()> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let found = tenants::find(&pool, tenant.as_str()).await?.with_context(|| format!("there is no tenant {tenant}"))?;
    format.answer(&document(&found), || text(&found))
}

fn line(tenant: &Tenant) -> String {
    let closed = tenant.closed_at.map(|since| format!("closed since {}", output::moment(since))).unwrap_or_default();
    format!("{:<30} {:<15} {closed}", tenant.id.as_str(), tenant.plan).trim_end().to_owned() + "\n"
}

fn document(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id, "plan": tenant.plan, "test_mode": tenant.is_sandbox, "created_at": tenant.created_at,
        "closed_at": tenant.closed_at,
        "billing_ready": tenant.billing_ready && tenant.billing_ended_at.is_none(),
        "billing_ended_at": tenant.billing_ended_at,
        "settings": {
            "confirm_failed": tenant.failed_jobs == FailedJobs::Confirmed,
            "requires_credits": tenant.credits.is_in_force()
        }
    })
}

fn text(tenant: &Tenant) -> String {
    let failed = if tenant.failed_jobs == FailedJobs::Confirmed { "confirmed on chain" } else { "not confirmed" };
    let billing = billing(tenant);
    let created = output::moment(tenant.created_at);
    let closed = tenant.closed_at.map(|since| format!("closed since {}\n", output::moment(since))).unwrap_or_default();
    format!(
        "tenant       {}\nplan         {}\ncreated      {created}\n{closed}failed jobs  {failed}\nbilling      {billing}\n",
        tenant.id, tenant.plan
    )
}

/// How a tenant stands with the billing system.
fn billing(tenant: &Tenant) -> String {
    if tenant.is_sandbox {
        return "a sandbox, never billed".to_owned();
    }
    let told = match (tenant.closed_at, tenant.billing_ended_at, tenant.billing_ready) {
        (_, Some(ended), true) => return format!("the subscription was ended at {}", output::moment(ended)),
        (_, Some(_), false) => "no account: the tenant was closed before one was made",
        (Some(_), None, true) => "the reporter ends the subscription once all that was used is booked and delivered",
        (Some(_), None, false) => "no account: one is made only if something that was used is still to be billed",
        (None, None, true) => "customer and subscription are there",
        (None, None, false) => "not there yet: the reporter makes customer and subscription within a turn",
    };
    told.to_owned()
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

    fn acme() -> Tenant {
        Tenant {
            id: "acme".parse().unwrap(),
            plan: "team".to_owned(),
            created_at: "2026-03-14T09:26:53Z".parse().unwrap(),
            billing_ready: false,
            failed_jobs: FailedJobs::Confirmed,
            credits: store::limits::rules::CreditRule::Optional,
            is_sandbox: false,
            closed_at: None,
            billing_ended_at: None,
        }
    }

    #[test]
    fn a_tenant_is_told_as_it_is() {
        let tenant = acme();
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
    fn a_closed_tenant_is_told_with_what_becomes_of_its_account() {
        assert_eq!(line(&acme()), format!("{:<30} team\n", "acme"));
        let closed = Tenant { closed_at: "2026-04-01T08:00:00Z".parse().ok(), billing_ready: true, ..acme() };
        assert!(line(&closed).ends_with(" closed since 2026-04-01 08:00:00Z\n"), "{}", line(&closed));
        let told = text(&closed);
        assert!(told.contains("created      2026-03-14 09:26:53Z\nclosed since 2026-04-01 08:00:00Z\n"), "{told}");
        let ending = "billing      the reporter ends the subscription once all that was used is booked and delivered\n";
        assert!(told.ends_with(ending), "{told}");
        let ended = Tenant { billing_ended_at: "2026-04-01T09:10:11Z".parse().ok(), ..closed.clone() };
        assert!(text(&ended).ends_with("billing      the subscription was ended at 2026-04-01 09:10:11Z\n"));
        let [before, after] = [&closed, &ended].map(document);
        assert_eq!((&before["closed_at"], &before["billing_ready"]), (&json!("2026-04-01T08:00:00Z"), &json!(true)));
        assert_eq!(
            (&after["billing_ended_at"], &after["billing_ready"]),
            (&json!("2026-04-01T09:10:11Z"), &json!(false))
        );
        // Its account was never made.
        for (tenant, expected) in [
            (closed, "no account: one is made only if something that was used is still to be billed\n"),
            (ended, "no account: the tenant was closed before one was made\n"),
        ] {
            let told = text(&Tenant { billing_ready: false, ..tenant });
            assert!(told.ends_with(expected), "{told}");
        }
    }

    #[test]
    fn plans_have_names() {
        assert!(["default", "team", "a_b-2"].iter().all(|name| plan(name).is_ok()));
        assert!(["", "Team", "a b", &"x".repeat(64)].iter().all(|name| plan(name).is_err()));
    }
}
