//! `zama-jobs login-code`: a one-time code that whoever runs the installation gives to a person. With it the person lets
//! `zama-jobs login` in, on the page that the login names.

use std::time::Duration;

use anyhow::{Context, Result};
use api::token::secret::{hash, new_login_code};
use clap::Args;
use jobs::{TenantId, UserId};
use serde_json::json;
use settings::Settings;
use store::audit::Note;
use store::oauth::login_codes;

use super::token::lifetime;
use super::{Role, closed, parts, process};
use crate::output;

#[derive(Args)]
pub struct LoginCodeArgs {
    /// Tenant of the person.
    #[arg(long)]
    tenant: TenantId,
    /// The person; registered already.
    #[arg(long)]
    user: UserId,
    /// How long the code is valid.
    #[arg(long, default_value = "15m", value_parser = lifetime)]
    ttl: Duration,
}

/// Prints only the code on stdout, or a document with it.
///
/// # Errors
/// The database is away, there is no such user, or the tenant is closed.
pub fn run(settings: &Settings, args: &LoginCodeArgs, as_json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let pool = parts::pool(settings)?;
        store::reach(&pool).await?;
        let code = new_login_code();
        let person = (&args.tenant, &args.user);
        let about = json!({ "valid_for_seconds": args.ttl.as_secs() });
        let note = Note::by_operator(&args.tenant, "login-code", format!("/v1/users/{}", args.user), about);
        let created = login_codes::create(&pool, person, hash(&code), args.ttl.as_secs_f64(), &note);
        let expires_at = Box::pin(created).await?;
        if expires_at.is_none() {
            closed::refuse(&pool, &args.tenant).await?;
        }
        let no_user = || format!("there is no user {} in tenant {}", args.user, args.tenant);
        let expires_at = expires_at.with_context(no_user)?;
        match as_json {
            true => output::document(&json!({ "login_code": code, "expires_at": expires_at }))?,
            false => output::line(code)?,
        }
        let until = expires_at.format("%F %TZ");
        output::notice(format_args!("for {}/{}, once, until {until}", args.tenant, args.user));
        Ok(())
    })
}
