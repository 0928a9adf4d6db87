//! `zama-jobs clients`: programs that get access tokens of their own from the issuer (OAuth clients). A client speaks for a
//! registered user of a tenant; its secret is shown once and kept as a hash.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::public_keys;
use api::token::secret::{SecretKind, hash, new_client_id, new_secret};
use api::token::{REVOKED_FOR, Role as UserRole, Scopes};
use clap::{Args, Subcommand};
use jobs::{TenantId, UserId};
use serde_json::json;
use settings::Settings;
use store::PgPool;
use store::audit::{Draft, Note};
use store::oauth::clients::{self, Listed, NewClient, NewProof, ProofRotation};

use super::token::{lifetime, scopes};
use super::{Role, closed, parts, process};
use crate::output;

/// How clients prove themselves, as lists and the audit log name it.
const KEYS: &str = "private_key_jwt";
const SECRET: &str = "client_secret";

#[derive(Subcommand)]
pub enum ClientsCommand {
    /// Add a client, and print its id and secret. The secret is shown this once.
    Create(CreateArgs),
    /// List clients.
    List {
        /// Those of one tenant.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Give a client a new secret, or new public keys.
    Rotate(RotateArgs),
    /// Remove a client. Within a minute none of its tokens is accepted.
    Delete {
        /// Id of the client.
        id: String,
    },
}

#[derive(Args)]
pub struct CreateArgs {
    /// Tenant of the user that it speaks for.
    #[arg(long)]
    tenant: TenantId,
    /// The user; registered already.
    #[arg(long)]
    user: UserId,
    /// What people call it.
    #[arg(long, default_value = "")]
    name: String,
    /// The most that it may ask for, separated by spaces; never more than the user's role brings. All of that when not
    /// given.
    #[arg(long, value_parser = scopes)]
    scopes: Option<Scopes>,
    /// File with its public keys (JWK set) in place of a secret: it signs assertions (private_key_jwt).
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

#[derive(Args)]
pub struct RotateArgs {
    /// Id of the client.
    id: String,
    /// How long the old secret counts beside the new one; 0s: it leaked. Keys overlap by standing in the new file.
    #[arg(long, default_value = "24h", value_parser = overlap)]
    overlap: Duration,
    /// File with its new public keys (JWK set) in place of a secret.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

/// # Errors
/// The database is away, there is no such user or client, or the tenant is closed.
pub fn run(settings: &Settings, command: &ClientsCommand, json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let pool = parts::pool(settings)?;
        store::reach(&pool).await?;
        match command {
            ClientsCommand::Create(args) => Box::pin(create(&pool, args, json)).await,
            ClientsCommand::List { tenant } => list(&pool, tenant.as_ref(), json).await,
            ClientsCommand::Rotate(args) => Box::pin(rotate(&pool, args, json)).await,
            ClientsCommand::Delete { id } => {
                let audit = Draft::by_operator("clients delete", json!({ "client": id }));
                if !Box::pin(clients::delete(&pool, id, REVOKED_FOR.as_secs_f64(), &audit)).await? {
                    bail!("there is no client {id}");
                }
                output::notice(format_args!("{id} is removed: within a minute none of its tokens is accepted"));
                Ok(())
            }
        }
    })
}

async fn create(pool: &PgPool, args: &CreateArgs, json: bool) -> Result<()> {
    let (id, proof) = (new_client_id(), proof(args.jwks.as_deref())?);
    // Tokens never carry more than the role brings at the time.
    let scopes = args.scopes.clone().unwrap_or_else(|| UserRole::Admin.scopes());
    let client = NewClient {
        id: &id,
        tenant: &args.tenant,
        user: &args.user,
        name: &args.name,
        scope: &scopes.to_string(),
        proof: proof.stored,
    };
    let target = format!("/v1/users/{}", args.user);
    let about = json!({ "client": id, "scopes": client.scope, "authentication": way(&client.proof) });
    let note = Note::by_operator(&args.tenant, "clients create", target, about);
    if !clients::create(pool, &client, &note).await? {
        closed::refuse(pool, &args.tenant).await?;
        bail!("there is no user {} in tenant {}", args.user, args.tenant);
    }
    show(&id, proof.secret.as_deref(), json)
}

async fn rotate(pool: &PgPool, args: &RotateArgs, json: bool) -> Result<()> {
    let proof = proof(args.jwks.as_deref())?;
    let about = json!({
        "client": args.id, "authentication": way(&proof.stored), "overlap_seconds": args.overlap.as_secs()
    });
    let audit = Draft::by_operator("clients rotate", about);
    let rotation = ProofRotation { id: &args.id, proof: &proof.stored, overlap_seconds: args.overlap.as_secs_f64() };
    if !clients::rotate(pool, &rotation, &audit).await? {
        bail!("there is no client {}, or its tenant is closed", args.id);
    }
    show(&args.id, proof.secret.as_deref(), json)
}

/// What a client will prove itself with.
struct FreshProof {
    /// To be shown once, unless it has keys.
    secret: Option<String>,
    stored: NewProof,
}

fn proof(jwks: Option<&Path>) -> Result<FreshProof> {
    let Some(file) = jwks else {
        let secret = new_secret(SecretKind::ClientSecret);
        return Ok(FreshProof { stored: NewProof::Secret(hash(&secret)), secret: Some(secret) });
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("Failed to read {}", file.display()))?;
    let keys = public_keys(&text).with_context(|| format!("{} cannot be used", file.display()))?;
    Ok(FreshProof { secret: None, stored: NewProof::Keys(keys) })
}

fn show(id: &str, secret: Option<&str>, json: bool) -> Result<()> {
    if json {
        return output::document(&json!({ "client_id": id, "client_secret": secret }));
    }
    output::line(format_args!("client_id      {id}"))?;
    if let Some(secret) = secret {
        output::line(format_args!("client_secret  {secret}"))?;
        output::notice("the secret is shown this once");
    }
    Ok(())
}

async fn list(pool: &PgPool, tenant: Option<&TenantId>, json: bool) -> Result<()> {
    let listed = clients::list(pool, tenant).await?;
    if json {
        output::document(&json!(listed.iter().map(document).collect::<Vec<_>>()))?;
    } else {
        listed.iter().try_for_each(|client| output::line(line(client)))?;
    }
    Ok(())
}

fn document(client: &Listed) -> serde_json::Value {
    json!({
        "client_id": client.id,
        "tenant": client.tenant,
        "user": client.user_id,
        "name": client.name,
        "scope": client.scope,
        "authentication": authentication(client),
        "created_at": client.created_at,
        "last_used_at": client.last_used_at,
    })
}

fn line(client: &Listed) -> String {
    let used =
        client.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", at.format("%F %TZ")));
    let Listed { id, tenant, user_id, name, scope, .. } = client;
    format!("{id}  {tenant}/{user_id}  {}  [{scope}]  {used}  {name}", authentication(client))
}

fn authentication(client: &Listed) -> &'static str {
    if client.has_keys { KEYS } else { SECRET }
}

fn way(proof: &NewProof) -> &'static str {
    match proof {
        NewProof::Keys(_) => KEYS,
        NewProof::Secret(_) => SECRET,
    }
}

fn overlap(text: &str) -> Result<Duration, String> {
    if ["0", "0s"].contains(&text) { Ok(Duration::ZERO) } else { lifetime(text) }
}
