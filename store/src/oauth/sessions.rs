//! Sessions of people: families of refresh tokens, each of which is used once.

use jobs::{TenantId, UserId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Holder, SecretHash, named};
use crate::StoreError;
use crate::audit::Draft;
use crate::begin;

/// A session as its refresh tokens name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: Uuid,
    pub holder: Holder,
    /// The client that it was opened by.
    pub client: String,
    /// What was granted, with spaces between.
    pub scope: String,
}

/// A refresh token that is to take another one's place.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Who asks.
    pub client: &'a str,
    pub used: SecretHash,
    pub next: SecretHash,
    pub lifetimes: Lifetimes,
}

/// How long things live, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    pub refresh_token: f64,
    /// As long after its use a refresh token that comes again is a race between processes of one owner, not a theft.
    pub race: f64,
    /// After which no access token of a session is valid any more.
    pub access_token: f64,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// Its successor counts.
    Renewed(Session),
    /// There is none, or it is another client's.
    Unknown,
    /// It has expired, or its session was revoked.
    Over,
    /// It was used a moment ago: somebody else was faster. Its session goes on.
    Raced,
    /// It was used before: its session is revoked, with all tokens.
    Reused(Uuid),
}

/// What became of a session that was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Revoked(Uuid),
    Unknown,
    /// It is another client's.
    Foreign,
}

/// Opens a session with its first refresh token.
pub(super) async fn open(
    tx: &mut PgConnection,
    (tenant, user): (&TenantId, &UserId),
    (client, scope): (&str, &str),
    refresh_token: SecretHash,
    lifetime: f64,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO oauth_sessions (id, tenant, user_id, client_id, scope) VALUES ($1, $2, $3, $4, $5)",
        id,
        tenant.as_str(),
        user.as_str(),
        client,
        scope
    )
    .execute(&mut *tx)
    .await?;
    add_token(tx, id, refresh_token, lifetime).await?;
    Ok(id)
}

async fn add_token(tx: &mut PgConnection, session: Uuid, hash: SecretHash, lifetime: f64) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (hash, session, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))",
        &hash[..],
        session,
        lifetime
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The scope of the session that a refresh token belongs to, whatever has become of it.
///
/// # Errors
/// The database is away.
pub async fn scope_of(pool: &PgPool, refresh_token: SecretHash) -> Result<Option<String>, StoreError> {
    let scope = sqlx::query_scalar!(
        "SELECT s.scope FROM refresh_tokens t JOIN oauth_sessions s ON s.id = t.session WHERE t.hash = $1",
        &refresh_token[..]
    );
    Ok(scope.fetch_optional(pool).await?)
}

/// Uses a refresh token: of any number of processes that use the same one, one succeeds. `reuse` is written of one that
/// came again.
///
/// # Errors
/// The database is away.
pub async fn rotate(pool: &PgPool, rotation: Rotation<'_>, reuse: &Draft) -> Result<Rotated, StoreError> {
    let Rotation { client, used, next, lifetimes } = rotation;
    let mut tx = begin(pool).await?;
    let row = sqlx::query!(
        r#"SELECT s.id, s.tenant, s.user_id, s.client_id, s.scope, u.role,
                  t.used_at IS NOT NULL AS "used!",
                  coalesce(t.used_at < clock_timestamp() - make_interval(secs => $2), false) AS "long_ago!",
                  t.expires_at <= now() OR s.revoked_at IS NOT NULL AS "over!"
             FROM refresh_tokens t
             JOIN oauth_sessions s ON s.id = t.session
             JOIN users u ON u.tenant = s.tenant AND u.id = s.user_id
            WHERE t.hash = $1 FOR UPDATE OF t, s"#,
        &used[..],
        lifetimes.race
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row.filter(|row| row.client_id == client) else { return Ok(Rotated::Unknown) };
    if row.over {
        return Ok(Rotated::Over);
    }
    if row.used && !row.long_ago {
        return Ok(Rotated::Raced);
    }
    if row.used {
        end(&mut tx, row.id, lifetimes.access_token).await?;
        let (tenant, user) = named(&row.tenant, &row.user_id)?;
        reuse.by(&tenant, &user).write(&mut tx).await?;
        tx.commit().await?;
        return Ok(Rotated::Reused(row.id));
    }
    sqlx::query!("UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE hash = $1", &used[..])
        .execute(&mut *tx)
        .await?;
    add_token(&mut tx, row.id, next, lifetimes.refresh_token).await?;
    tx.commit().await?;
    let holder = Holder::of(row.tenant, row.user_id, row.role)?;
    Ok(Rotated::Renewed(Session { id: row.id, holder, client: row.client_id, scope: row.scope }))
}

/// Ends the session that a refresh token belongs to, a used one too, with all its tokens.
///
/// # Errors
/// The database is away.
pub async fn revoke(
    pool: &PgPool,
    refresh_token: SecretHash,
    client: &str,
    access_token_seconds: f64,
    audit: &Draft,
) -> Result<Ended, StoreError> {
    let mut tx = begin(pool).await?;
    let row = sqlx::query!(
        "SELECT s.id, s.tenant, s.user_id, s.client_id FROM refresh_tokens t JOIN oauth_sessions s ON s.id = t.session
          WHERE t.hash = $1 FOR UPDATE OF s",
        &refresh_token[..]
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(Ended::Unknown) };
    if row.client_id != client {
        return Ok(Ended::Foreign);
    }
    end(&mut tx, row.id, access_token_seconds).await?;
    let (tenant, user) = named(&row.tenant, &row.user_id)?;
    audit.by(&tenant, &user).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Ended::Revoked(row.id))
}

async fn end(tx: &mut PgConnection, session: Uuid, access_token_seconds: f64) -> Result<(), StoreError> {
    sqlx::query!("UPDATE oauth_sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", session)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO oauth_revocations (subject, expires_at) VALUES ($1, now() + make_interval(secs => $2))
         ON CONFLICT (subject) DO UPDATE SET expires_at = greatest(oauth_revocations.expires_at, EXCLUDED.expires_at)",
        session.to_string(),
        access_token_seconds
    )
    .execute(tx)
    .await?;
    Ok(())
}
