//! `zama-jobs token`: an access token for development; creates tenant and user when they are missing. Below it, the
//! issuer's keys.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::token::{Credential, Principal, Role as UserRole, Scope, Scopes, TokenIssuer};
use clap::{Args, Subcommand};
use jobs::{TenantId, UserId};
use serde_json::json;
use settings::{Deployment, Settings};

use super::token_keys::{self, TokenKeysCommand};
use super::{Role, closed, parts, process};
use crate::output;

/// Plan of tenants that are made here: no limits.
const PLAN: &str = "development";

/// A token, or one of the commands about the keys.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TokenCommand {
    #[command(subcommand)]
    keys: Option<Below>,
    #[command(flatten)]
    token: TokenArgs,
}

#[derive(Subcommand)]
enum Below {
    /// The keys that sign the issuer's access tokens.
    #[command(subcommand)]
    Keys(TokenKeysCommand),
}

#[derive(Args)]
pub struct TokenArgs {
    /// Tenant; created when missing.
    #[arg(long, default_value = "dev")]
    pub tenant: TenantId,
    /// User of the tenant; created when missing.
    #[arg(long, default_value = "developer")]
    pub user: UserId,
    /// developer, team_lead or admin.
    #[arg(long, default_value = "developer")]
    pub role: UserRole,
    /// Scopes, separated by spaces; the role's when not given.
    #[arg(long, value_parser = scopes)]
    pub scopes: Option<Scopes>,
    /// Lifetime, for example 90s, 15m or 12h.
    #[arg(long, default_value = "15m", value_parser = lifetime)]
    pub ttl: Duration,
}

/// Prints only the token on stdout, or a document with it.
///
/// # Errors
/// Production, names that are not valid, a closed tenant, whose token would be accepted by nobody, or a database that is away.
pub fn run(settings: &Settings, command: &TokenCommand, json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        match &command.keys {
            Some(Below::Keys(keys)) => Box::pin(token_keys::run(settings, keys, json)).await,
            None => {
                let args = &command.token;
                let token = Box::pin(issue(settings, args)).await?;
                // Here, and not where `dev` makes its own token: it has to start.
                closed::refuse(&parts::pool(settings)?, &args.tenant).await?;
                match json {
                    true => output::document(&document(args, &token)),
                    false => output::line(token),
                }
            }
        }
    })
}

fn document(args: &TokenArgs, token: &str) -> serde_json::Value {
    let (tenant, user) = (&args.tenant, &args.user);
    json!({ "token": token, "tenant": tenant, "user": user, "expires_in": args.ttl.as_secs() })
}

/// Makes tenant and user, and a token for them.
///
/// # Errors
/// As [`run`], but of a closed tenant.
pub async fn issue(settings: &Settings, args: &TokenArgs) -> Result<String> {
    if settings.environment == Deployment::Production {
        bail!("tokens are made here in development only; production has its issuer's endpoints");
    }
    let (tenant, user, role) = (args.tenant.clone(), args.user.clone(), args.role);
    if tenant.is_sandbox() {
        bail!("{tenant} is the name of a sandbox: make an API key with --test instead");
    }
    let scopes = args.scopes.clone().unwrap_or_else(|| role.scopes());
    let submitter = chain::development::submitter(&tenant, &user)?.address;
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    store::tenants::ensure_tenant(&pool, &tenant, PLAN).await?;
    store::tenants::ensure_user(&pool, &tenant, &user, role.as_str(), submitter.into_array()).await?;
    let auth = &settings.auth;
    if auth.signing_key_file.is_empty() {
        bail!("auth.signing_key_file is empty: set it, or ask the API for a token (`zama-jobs clients`)");
    }
    let file = Path::new(&auth.signing_key_file);
    let issuer = TokenIssuer::from_file_or_create(file, settings.issuer(), &auth.audience)
        .context("auth.signing_key_file cannot be used")?;
    issuer.issue(&Principal { tenant, user, role, scopes, credential: Credential::AccessToken }, args.ttl)
}

pub(crate) fn scopes(text: &str) -> Result<Scopes, String> {
    let scope = |name: &str| name.parse::<Scope>().map_err(|_| format!("{name} is not a scope"));
    text.split_whitespace().map(scope).collect()
}

pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("is not a number followed by s, m, h or d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "does not begin with a number".to_owned())?;
    match number.checked_mul(seconds) {
        Some(total @ 1..=31_536_000) => Ok(Duration::from_secs(total)),
        _ => Err("is not between a second and a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        token: TokenCommand,
    }

    /// What is wrong with the line itself is clap's to say, which ends with 2.
    #[test]
    fn names_are_checked_as_the_command_line_is_read() {
        let line = |arguments: &[&str]| Line::try_parse_from([&["token"], arguments].concat());
        let args = line(&["--tenant", "acme", "--role", "admin", "--scopes", "jobs:read jobs:submit"]).expect("sound");
        let args = args.token;
        assert_eq!((args.token.tenant.as_str(), args.token.role.as_str()), ("acme", "admin"));
        assert_eq!(args.token.scopes, scopes("jobs:submit jobs:read").ok());
        for wrong in [["--tenant", "ACME"], ["--role", "root"], ["--user", ""], ["--scopes", "jobs:all"]] {
            let refused = line(&wrong).err().expect("refused");
            assert_eq!(refused.exit_code(), 2, "{wrong:?}");
            assert!(refused.to_string().contains(wrong[0]), "{refused}");
        }
    }

    #[test]
    fn the_keys_have_commands_below_it() {
        let line = |arguments: &[&str]| Line::try_parse_from([&["token"], arguments].concat());
        assert!(line(&["keys", "list"]).expect("sound").token.keys.is_some());
        assert!(line(&["keys", "rotate", "--after", "0s"]).is_ok());
        assert!(line(&["--tenant", "acme", "keys", "list"]).is_err(), "one or the other");
    }

    #[test]
    fn lifetimes_have_units() {
        assert_eq!(lifetime("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(lifetime("90"), Ok(Duration::from_secs(90)));
        for bad in ["", "m", "0s", "1w", "-1s", "99999999999999999999d"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }
}
