//! Users who come from other issuers: made when they are first seen, and what their issuer says of them from then on.

use jobs::{Role, TenantId, UserId};
use sqlx::PgPool;

use crate::audit::Draft;
use crate::oauth::revocations;
use crate::users::{is_lower, role_of};
use crate::{StoreError, begin};

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

/// The user that an identity is, without an address when it is made now. Its role follows its issuer. `audit` is written
/// where the user is made, or its role changes.
///
/// # Errors
/// The database is away.
pub async fn admit(pool: &PgPool, identity: Identity<'_>, audit: &Draft) -> Result<Admitted, StoreError> {
    if let Some(known) = known(pool, identity, audit).await? {
        return Ok(known);
    }
    // Of several processes that see somebody first, one makes the user, and all find it.
    if make(pool, identity, audit).await? {
        tracing::info!(tenant.id = %identity.tenant, user.id = %identity.name, "a user of another issuer was made");
    }
    Ok(known(pool, identity, audit).await?.unwrap_or(Admitted::NoSuchTenant))
}

async fn known(pool: &PgPool, identity: Identity<'_>, audit: &Draft) -> Result<Option<Admitted>, StoreError> {
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
    let user: UserId = row.user_id.parse().map_err(|_| StoreError::corrupt("user", &row.user_id))?;
    if before != role.as_str() {
        follow(pool, identity, (&user, role_of(&before)?), audit).await?;
    }
    Ok(Some(Admitted::User(user)))
}

/// Gives the user the role that its issuer says, of several requests at once in one of them.
async fn follow(
    pool: &PgPool,
    Identity { tenant, role, .. }: Identity<'_>,
    (user, before): (&UserId, Role),
    audit: &Draft,
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let followed = sqlx::query!(
        "UPDATE users SET role = $3 WHERE tenant = $1 AND id = $2 AND role = $4",
        tenant.as_str(),
        user.as_str(),
        role.as_str(),
        before.as_str()
    )
    .execute(&mut *tx)
    .await?;
    if followed.rows_affected() == 0 {
        return Ok(());
    }
    if is_lower(role, before) {
        revocations::lower_user(&mut tx, tenant, user, role).await?;
    }
    audit.by_itself(tenant, user).write(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether it was made now. A sandbox has no users of its own.
async fn make(pool: &PgPool, identity: Identity<'_>, audit: &Draft) -> Result<bool, StoreError> {
    let Identity { issuer, subject, tenant, role, name } = identity;
    let mut tx = begin(pool).await?;
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
    .execute(&mut *tx)
    .await?;
    let is_made = made.rows_affected() == 1;
    if is_made {
        audit.by_itself(tenant, name).write(&mut tx).await?;
    }
    // What an identity that met a user of its name left is kept, too.
    tx.commit().await?;
    Ok(is_made)
}
