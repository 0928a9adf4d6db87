//! `zama-jobs tenants create`: a tenant, its first admin, and a key by which that one comes in.

use anyhow::{Result, bail};
use api::token::Role as UserRole;
use clap::Args;
use jobs::{ApiKey, KeyMode, TenantId, UserId};
use serde_json::json;
use settings::Settings;
use store::PgPool;
use store::accounts::closed_since;
use store::api_keys::{Created, NewKey};
use store::audit::Note;
use store::{tenants, users};

use super::super::parts;
use super::{Format, plan};
use crate::output;

/// Name of a first admin's key, in its list of keys.
const KEY_NAME: &str = "first admin";

/// What the audit log calls it.
const ACTION: &str = "tenants create";

/// Lifetime of a first admin's key, in days: time to sign in and make another one.
const KEY_DAYS: i64 = 7;

/// What `create` takes.
#[derive(Args)]
pub struct CreateArgs {
    /// The tenant: 1 to 63 of a-z, 0-9 and -.
    tenant: TenantId,
    /// Its plan; one that is there keeps its own.
    #[arg(long, default_value = "default", value_parser = plan)]
    plan: String,
    /// Its first admin; one who is there stays.
    #[arg(long, value_name = "USER")]
    admin: Option<UserId>,
    /// Print an API key of the admin, once; it lasts a week.
    #[arg(long, requires = "admin")]
    api_key: bool,
}

/// # Errors
/// The name of a sandbox or of a closed tenant, or a database that is away.
pub(super) async fn run(settings: &Settings, args: &CreateArgs, format: Format) -> Result<()> {
    let tenant = &args.tenant;
    if tenant.is_sandbox() {
        bail!("{tenant} is the name of a sandbox: a tenant's own is made with its first test key");
    }
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let made = Note::by_operator(tenant, ACTION, format!("/v1/tenants/{tenant}"), json!({ "plan": args.plan }));
    let is_new = tenants::create(&pool, tenant, &args.plan, &made).await?;
    if !is_new && let Some(since) = closed_since(&pool, tenant).await? {
        bail!("{tenant} is closed since {}, for good: choose another name", output::moment(since));
    }
    if let Some(admin) = &args.admin {
        let about = json!({ "role": UserRole::Admin });
        let note = Note::by_operator(tenant, ACTION, format!("/v1/users/{admin}"), about);
        users::put(&pool, tenant, admin, UserRole::Admin, &note).await?;
    }
    let key = match (&args.admin, args.api_key) {
        (Some(admin), true) => Some(key(&pool, tenant, admin).await?),
        _ => None,
    };
    let secret = key.as_ref().map(ApiKey::as_str);
    let document = json!({ "tenant": tenant, "created": is_new, "admin": args.admin, "api_key": secret });
    format.answer(&document, || {
        let what = if is_new { "made" } else { "is there already" };
        let mut text = format!("tenant {tenant}: {what}\n");
        text.extend(args.admin.as_ref().map(|admin| format!("admin {admin}\n")));
        text.extend(secret.map(|secret| format!("API key, shown this once, valid for {KEY_DAYS} days:\n{secret}\n")));
        text
    })
}

async fn key(pool: &PgPool, tenant: &TenantId, admin: &UserId) -> Result<ApiKey> {
    let key = ApiKey::generate(KeyMode::Live);
    let new = NewKey {
        key: &key,
        tenant,
        user: admin,
        name: KEY_NAME,
        scopes: &UserRole::Admin.scopes(),
        created_by: admin,
        expires_at: chrono::Utc::now() + chrono::TimeDelta::days(KEY_DAYS),
    };
    let note = Note::by_operator(tenant, ACTION, format!("/v1/api-keys/{}", key.id()), json!({ "user": admin }));
    match store::api_keys::create(pool, &new, api::MAX_API_KEYS, &note).await? {
        Created::New(_) => Ok(key),
        Created::NoSuchUser => bail!("there is no user {admin}"),
        Created::TooMany => bail!("the admin {admin} has too many keys in force: revoke one"),
    }
}
