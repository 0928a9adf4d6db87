//! Users of a tenant: roles, and who may leave.

use chrono::{DateTime, Utc};
use jobs::{Role, TenantId, UserId};
use sqlx::{PgConnection, PgPool};

use crate::audit::Note;
use crate::jobs::bytes;
use crate::oauth::revocations;
use crate::{StoreError, begin};

/// A user as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub role: Role,
    /// EVM address that the user's jobs belong to, once it is registered.
    pub submitter: Option<[u8; 20]>,
    pub created_at: DateTime<Utc>,
}

/// What a user is and may sign with; a user of a sandbox is its tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    pub submitter: Option<[u8; 20]>,
}

/// What became of a wish to make or change a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Created(User),
    Changed(User),
    /// Its access tokens that say more than its role is now count no more.
    Lowered(User),
    /// Nobody would be left to administer the tenant.
    LastAdmin,
    NoSuchTenant,
}

/// What became of a wish to delete a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Gone,
    Missing,
    /// Nobody would be left to administer the tenant.
    LastAdmin,
}

struct Row {
    id: String,
    role: String,
    submitter: Option<Vec<u8>>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for User {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| StoreError::corrupt("user", &row.id))?,
            role: role_of(&row.role)?,
            submitter: row.submitter.map(|address| bytes("submitter", &address)).transpose()?,
            created_at: row.created_at,
        })
    }
}

pub(crate) fn role_of(column: &str) -> Result<Role, StoreError> {
    column.parse().map_err(|_| StoreError::corrupt("role", column))
}

/// What a user is now; `None` of one who is not registered, or not any more.
///
/// # Errors
/// The database is away.
pub async fn standing(pool: &PgPool, tenant: &TenantId, user: &UserId) -> Result<Option<Standing>, StoreError> {
    let row = sqlx::query!(
        "SELECT u.role, u.submitter FROM tenants t JOIN users u ON u.tenant = coalesce(t.sandbox_of, t.id)
          WHERE t.id = $1 AND u.id = $2",
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        let submitter = row.submitter.map(|address| bytes("submitter", &address)).transpose()?;
        Ok(Standing { role: role_of(&row.role)?, submitter })
    })
    .transpose()
}

/// Reads a user of this very tenant.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &TenantId, user: &UserId) -> Result<Option<User>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, role, submitter, created_at FROM users WHERE tenant = $1 AND id = $2",
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(pool)
    .await?;
    row.map(User::try_from).transpose()
}

/// Up to `limit` users of a tenant by name, those that follow `after`.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    tenant: &TenantId,
    role: Option<Role>,
    after: Option<&UserId>,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, role, submitter, created_at FROM users
          WHERE tenant = $1 AND ($2::text IS NULL OR role = $2) AND ($3::text IS NULL OR id > $3)
          ORDER BY id LIMIT $4",
        tenant.as_str(),
        role.map(Role::as_str),
        after.map(UserId::as_str),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(User::try_from).collect()
}

/// Makes a user, or gives the one that exists another role.
///
/// # Errors
/// The database is away.
pub async fn put(pool: &PgPool, tenant: &TenantId, user: &UserId, role: Role, audit: &Note) -> Result<Put, StoreError> {
    let mut tx = begin(pool).await?;
    if !administer(&mut tx, tenant).await? {
        return Ok(Put::NoSuchTenant);
    }
    if role != Role::Admin && is_last_admin(&mut tx, tenant, user).await? {
        return Ok(Put::LastAdmin);
    }
    let row = sqlx::query!(
        r#"WITH before AS (SELECT role FROM users WHERE tenant = $1 AND id = $2)
           INSERT INTO users (tenant, id, role) VALUES ($1, $2, $3)
           ON CONFLICT (tenant, id) DO UPDATE SET role = EXCLUDED.role
           RETURNING submitter, created_at, (SELECT role FROM before) AS role_before"#,
        tenant.as_str(),
        user.as_str(),
        role.as_str()
    )
    .fetch_one(&mut *tx)
    .await?;
    let before = row.role_before.as_deref().map(role_of).transpose()?;
    let is_lowered = before.is_some_and(|before| is_lower(role, before));
    if is_lowered {
        revocations::lower_user(&mut tx, tenant, user, role).await?;
    }
    audit.write(&mut tx).await?;
    tx.commit().await?;
    let submitter = row.submitter.map(|address| bytes("submitter", &address)).transpose()?;
    let user = User { id: user.clone(), role, submitter, created_at: row.created_at };
    Ok(match before {
        None => Put::Created(user),
        Some(_) if is_lowered => Put::Lowered(user),
        Some(_) => Put::Changed(user),
    })
}

/// Whether a role lacks something that another one has.
pub(crate) fn is_lower(role: Role, other: Role) -> bool {
    other.scopes().outside(&role.scopes()).is_some()
}

/// Deletes a user and revokes its keys and access tokens, in one transaction. Its jobs stay the tenant's.
///
/// # Errors
/// The database is away.
pub async fn remove(pool: &PgPool, tenant: &TenantId, user: &UserId, audit: &Note) -> Result<Removed, StoreError> {
    let mut tx = begin(pool).await?;
    administer(&mut tx, tenant).await?;
    if is_last_admin(&mut tx, tenant, user).await? {
        return Ok(Removed::LastAdmin);
    }
    // The user's row first: whoever makes a key holds it, and has then committed the key or will find no user.
    let deleted = sqlx::query!("DELETE FROM users WHERE tenant = $1 AND id = $2", tenant.as_str(), user.as_str())
        .execute(&mut *tx)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(Removed::Missing);
    }
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = now() WHERE tenant = $1 AND user_id = $2 AND revoked_at IS NULL",
        tenant.as_str(),
        user.as_str()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM submitter_challenges WHERE tenant = $1 AND user_id = $2", tenant.as_str(), user.as_str())
        .execute(&mut *tx)
        .await?;
    audit.write(&mut tx).await?;
    revocations::delete_user(&mut tx, tenant, user).await?;
    tx.commit().await?;
    Ok(Removed::Gone)
}

/// One change of a tenant's users at a time, so that two admins do not remove each other; tells whether there is such a
/// tenant. Jobs are admitted meanwhile.
async fn administer(tx: &mut PgConnection, tenant: &TenantId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", tenant.as_str())
        .fetch_optional(tx)
        .await?;
    Ok(found.is_some())
}

async fn is_last_admin(tx: &mut PgConnection, tenant: &TenantId, user: &UserId) -> Result<bool, StoreError> {
    let is_last = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE tenant = $1 AND id = $2 AND role = 'admin')
              AND NOT EXISTS (SELECT FROM users WHERE tenant = $1 AND id <> $2 AND role = 'admin') AS "is_last!""#,
        tenant.as_str(),
        user.as_str()
    )
    .fetch_one(tx)
    .await?;
    Ok(is_last)
}
