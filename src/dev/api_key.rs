//! The API key of the development tenant: made once, kept in the data folder, made anew when it is about to end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::{TimeDelta, Utc};
use jobs::{ApiKey, KeyMode, Role, TenantId, UserId};
use serde_json::json;
use store::PgPool;
use store::api_keys::{Created, NewKey, State};
use store::audit::Note;

use super::data_dir::write_private;

const LIFETIME: TimeDelta = TimeDelta::days(365);

/// A key that ends sooner is replaced: the stack may run for days.
const LEFT: TimeDelta = TimeDelta::days(31);

/// The key that is in the file, if it still serves; else a new one, which is written there.
///
/// # Errors
/// The database is away, the user is not there, or the file cannot be written.
pub async fn ensure(pool: &PgPool, file: &Path, tenant: &TenantId, user: &UserId) -> Result<String> {
    let kept = fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<ApiKey>().ok());
    if let Some(key) = kept
        && serves(pool, &key).await?
    {
        return Ok(key.as_str().to_owned());
    }
    let key = ApiKey::generate(KeyMode::Live);
    let new = NewKey {
        key: &key,
        tenant,
        user,
        name: "zama-jobs dev",
        scopes: &Role::Admin.scopes(),
        created_by: user,
        expires_at: Utc::now() + LIFETIME,
    };
    let note = Note::by_operator(tenant, "dev", format!("/v1/api-keys/{}", key.id()), json!({ "user": user }));
    match store::api_keys::create(pool, &new, i64::MAX, &note).await? {
        Created::New(_) => {}
        Created::NoSuchUser | Created::TooMany => bail!("there is no user {user} of {tenant}"),
    }
    write_private(file, &format!("{}\n", key.as_str())).context("Failed to keep the development API key")?;
    Ok(key.as_str().to_owned())
}

/// Whether the database knows the key, and will for a while.
async fn serves(pool: &PgPool, key: &ApiKey) -> Result<bool> {
    let known = store::api_keys::known(pool, key.id()).await?;
    Ok(known.is_some_and(|known| {
        known.hash == key.hash() && known.state == State::InForce && known.expires_at > Utc::now() + LEFT
    }))
}
