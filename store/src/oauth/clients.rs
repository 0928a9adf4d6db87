//! OAuth clients: programs that have a name of their own and speak for a user of a tenant.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use super::{Holder, SecretHash, named};
use crate::StoreError;
use crate::audit::{Draft, Note};
use crate::begin;
use crate::jobs::bytes;

/// What a client proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Secret {
        hash: SecretHash,
        /// The one before it, which counts until then.
        previous: Option<(SecretHash, DateTime<Utc>)>,
    },
    /// Its public keys, a JWK set.
    Keys(String),
}

/// A client as it is authenticated.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    /// Whom its tokens speak for.
    pub holder: Holder,
    /// The most that it may ask for, with spaces between.
    pub scope: String,
    pub proof: Proof,
}

/// A client as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: String,
    pub tenant: String,
    pub user_id: String,
    pub name: String,
    pub scope: String,
    pub has_keys: bool,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A client to be.
#[derive(Clone, Debug)]
pub struct NewClient<'a> {
    pub id: &'a str,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub name: &'a str,
    pub scope: &'a str,
    pub proof: NewProof,
}

/// What a new client, or one after a rotation, proves itself with.
#[derive(Clone, Debug)]
pub enum NewProof {
    Secret(SecretHash),
    Keys(String),
}

impl NewProof {
    fn columns(&self) -> (Option<&[u8]>, Option<&str>) {
        match self {
            Self::Secret(hash) => (Some(hash), None),
            Self::Keys(jwks) => (None, Some(jwks)),
        }
    }
}

/// Adds a client; `false` when there is no such user, or its tenant is closed.
///
/// # Errors
/// The database is away.
pub async fn create(pool: &PgPool, client: &NewClient<'_>, audit: &Note) -> Result<bool, StoreError> {
    let (secret, jwks) = client.proof.columns();
    let mut tx = begin(pool).await?;
    let created = sqlx::query!(
        "INSERT INTO oauth_clients (id, tenant, user_id, name, scope, secret_hash, jwks)
         SELECT $1, u.tenant, u.id, $4, $5, $6, $7 FROM users u JOIN tenants t ON t.id = u.tenant
          WHERE u.tenant = $2 AND u.id = $3 AND t.closed_at IS NULL",
        client.id,
        client.tenant.as_str(),
        client.user.as_str(),
        client.name,
        client.scope,
        secret,
        jwks
    );
    if created.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Looks for a client.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, id: &str) -> Result<Option<Client>, StoreError> {
    let row = sqlx::query!(
        "SELECT c.id, c.tenant, c.user_id, c.scope, c.secret_hash, c.previous_secret_hash, c.previous_secret_until,
                c.jwks, u.role
           FROM oauth_clients c JOIN users u ON u.tenant = c.tenant AND u.id = c.user_id
          WHERE c.id = $1",
        id
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let previous = match (row.previous_secret_hash, row.previous_secret_until) {
        (Some(hash), Some(until)) => Some((bytes("client secret", &hash)?, until)),
        _ => None,
    };
    let proof = match (row.secret_hash, row.jwks) {
        (Some(hash), _) => Proof::Secret { hash: bytes("client secret", &hash)?, previous },
        (None, Some(jwks)) => Proof::Keys(jwks),
        (None, None) => return Err(StoreError::corrupt("client", row.id)),
    };
    Ok(Some(Client { id: row.id, holder: Holder::of(row.tenant, row.user_id, row.role)?, scope: row.scope, proof }))
}

/// Notes that a client was given a token, at most once a minute.
///
/// # Errors
/// The database is away.
pub async fn was_used(pool: &PgPool, id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE oauth_clients SET last_used_at = now()
          WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
        id
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A tenant's clients, or everybody's, by tenant and name.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool, tenant: Option<&TenantId>) -> Result<Vec<Listed>, StoreError> {
    let listed = sqlx::query_as!(
        Listed,
        r#"SELECT id, tenant, user_id, name, scope, jwks IS NOT NULL AS "has_keys!", created_at, last_used_at
             FROM oauth_clients WHERE $1::text IS NULL OR tenant = $1 ORDER BY tenant, name, id"#,
        tenant.map(TenantId::as_str)
    );
    Ok(listed.fetch_all(pool).await?)
}

/// A client's new proof.
#[derive(Clone, Copy, Debug)]
pub struct ProofRotation<'a> {
    pub id: &'a str,
    pub proof: &'a NewProof,
    /// For which the old secret counts on; keys overlap by standing in the new set.
    pub overlap_seconds: f64,
}

/// Gives a client a new proof; `false` when there is no such client, or its tenant is closed.
///
/// # Errors
/// The database is away.
pub async fn rotate(pool: &PgPool, rotation: &ProofRotation<'_>, audit: &Draft) -> Result<bool, StoreError> {
    let (secret, jwks) = rotation.proof.columns();
    let mut tx = begin(pool).await?;
    let rotated = sqlx::query!(
        "UPDATE oauth_clients
            SET previous_secret_hash = CASE WHEN $4::float8 > 0 AND $2::bytea IS NOT NULL THEN secret_hash END,
                previous_secret_until = CASE WHEN $4::float8 > 0 AND $2::bytea IS NOT NULL AND secret_hash IS NOT NULL
                                             THEN now() + make_interval(secs => $4::float8) END,
                secret_hash = $2, jwks = $3
          WHERE id = $1 AND NOT EXISTS (SELECT FROM tenants t WHERE t.id = tenant AND t.closed_at IS NOT NULL)
         RETURNING tenant, user_id",
        rotation.id,
        secret,
        jwks,
        rotation.overlap_seconds
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = rotated else { return Ok(false) };
    let (tenant, user) = named(&row.tenant, &row.user_id)?;
    audit.to(&tenant, &user).write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Removes a client and revokes its tokens, the last of which lives for `token_seconds`; `false` when there is none.
///
/// # Errors
/// The database is away.
pub async fn delete(pool: &PgPool, id: &str, token_seconds: f64, audit: &Draft) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let deleted = sqlx::query!("DELETE FROM oauth_clients WHERE id = $1 RETURNING tenant, user_id", id)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = deleted else { return Ok(false) };
    sqlx::query!(
        "INSERT INTO oauth_revocations (subject, expires_at) VALUES ($1, now() + make_interval(secs => $2))
         ON CONFLICT DO NOTHING",
        id,
        token_seconds
    )
    .execute(&mut *tx)
    .await?;
    let (tenant, user) = named(&row.tenant, &row.user_id)?;
    audit.to(&tenant, &user).write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Notes an assertion (RFC 7523) as used; `false` when it was before.
///
/// # Errors
/// The database is away.
pub async fn accept_assertion(
    pool: &PgPool,
    id: &str,
    jti: &str,
    expires_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let accepted = sqlx::query!(
        "INSERT INTO oauth_assertions (client_id, jti, expires_at)
         SELECT id, $2, $3 FROM oauth_clients WHERE id = $1 ON CONFLICT DO NOTHING",
        id,
        jti,
        expires_at
    );
    Ok(accepted.execute(pool).await?.rows_affected() == 1)
}
