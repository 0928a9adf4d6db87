//! Users who come from other issuers: made when they are first seen, and what their issuer says of them from then on.

use jobs::{Role, TenantId, UserId};
use sqlx::PgPool;

use crate::StoreError;

/// Somebody as another issuer knows it.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `sub`.
    pub subject: &'a str,
    /// Where it acts here.
    pub tenant: &'a TenantId,
    /// What it is there, as its issuer says now.
    pub role: Role,
    /// The name that it is given when it is first seen.
    pub name: &'a UserId,
}

/// Who somebody of another issuer is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    User(UserId),
    /// An admin deleted the user: it stays out until an admin makes it again.
    Deleted,
    NoSuchTenant,
}

/// The user that an identity is, without an address when it is made now. Its role follows its issuer.
///
/// # Errors
/// The database is away.
pub async fn admit(pool: &PgPool, identity: Identity<'_>) -> Result<Admitted, StoreError> {
    if let Some(known) = known(pool, identity).await? {
        return Ok(known);
    }
    // Of several processes that see somebody first, one makes the user, and all find it.
    if make(pool, identity).await? {
        tracing::info!(tenant.id = %identity.tenant, user.id = %identity.name, "a user of another issuer was made");
    }
    Ok(known(pool, identity).await?.unwrap_or(Admitted::NoSuchTenant))
}

async fn known(pool: &PgPool, identity: Identity<'_>) -> Result<Option<Admitted>, StoreError> {
    let Identity { issuer, subject, tenant, role, .. } = identity;
    let row = sqlx::query!(
        r#"SELECT i.user_id, u.role AS "role?" FROM external_identities i
             LEFT JOIN users u ON u.tenant = i.tenant AND u.id = i.user_id
            WHERE i.tenant = $1 AND i.issuer = $2 AND i.subject = $3"#,
        tenant.as_str(),
        issuer,
        subject
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(before) = row.role else { return Ok(Some(Admitted::Deleted)) };
    if before != role.as_str() {
        sqlx::query!(
            "UPDATE users SET role = $3 WHERE tenant = $1 AND id = $2",
            tenant.as_str(),
            row.user_id,
            role.as_str()
        )
        .execute(pool)
        .await?;
    }
    let user = row.user_id.parse().map_err(|_| StoreError::corrupt("user", &row.user_id))?;
    Ok(Some(Admitted::User(user)))
}

/// Whether it was made now. A sandbox has no users of its own.
async fn make(pool: &PgPool, identity: Identity<'_>) -> Result<bool, StoreError> {
    let Identity { issuer, subject, tenant, role, name } = identity;
    let made = sqlx::query!(
        "WITH met AS (
             INSERT INTO external_identities (tenant, issuer, subject, user_id)
             SELECT id, $2, $3, $4 FROM tenants WHERE id = $1 AND sandbox_of IS NULL
             ON CONFLICT DO NOTHING RETURNING tenant, user_id)
         INSERT INTO users (tenant, id, role) SELECT tenant, user_id, $5 FROM met ON CONFLICT DO NOTHING",
        tenant.as_str(),
        issuer,
        subject,
        name.as_str(),
        role.as_str()
    )
    .execute(pool)
    .await?;
    Ok(made.rows_affected() == 1)
}
