//! API keys: made, looked up with each request, rotated with overlap, revoked. The secret itself is never stored.

mod lookup;

use chrono::{DateTime, Utc};
use jobs::{ApiKey, ApiKeyId, KeyMode, Scopes, TenantId, UserId};
use sqlx::{PgConnection, PgPool};

use crate::audit::Note;
use crate::{StoreError, begin, sandboxes};

pub use lookup::{Known, State, known, used};

/// A key as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub id: ApiKeyId,
    pub user: UserId,
    pub name: String,
    pub mode: KeyMode,
    pub scopes: Scopes,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Some minutes old at most.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that it was rotated into.
    pub replaced_by: Option<ApiKeyId>,
}

/// Whose keys a caller manages: its own, or all of its tenant.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub tenant: &'a TenantId,
    /// `None` is the whole tenant.
    pub user: Option<&'a UserId>,
}

impl<'a> Owner<'a> {
    fn user_column(&self) -> Option<&'a str> {
        self.user.map(UserId::as_str)
    }
}

/// A key to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    pub key: &'a ApiKey,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub name: &'a str,
    pub scopes: &'a Scopes,
    pub created_by: &'a UserId,
    pub expires_at: DateTime<Utc>,
}

/// What became of a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    New(StoredKey),
    NoSuchUser,
    /// The user has as many as it may have.
    TooMany,
}

/// A key that takes another one's place.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    pub owner: Owner<'a>,
    pub old: &'a ApiKeyId,
    pub new: &'a ApiKey,
    pub created_by: &'a UserId,
    /// When the new key expires; as long after now as the old one was to last when it was made, if not given.
    pub expires_at: Option<DateTime<Utc>>,
    /// How long the old key goes on.
    pub overlap_seconds: f64,
}

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    Into(StoredKey),
    NoSuchKey,
    /// The key has expired, is revoked, or was rotated before.
    Ended,
}

/// Where a key stands in [`list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    pub created_at: DateTime<Utc>,
    pub id: ApiKeyId,
}

struct Row {
    id: String,
    user_id: String,
    name: String,
    mode: String,
    scopes: String,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    replaced_by: Option<String>,
}

impl TryFrom<Row> for StoredKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = |text: &str| text.parse::<ApiKeyId>().map_err(|_| StoreError::corrupt("API key's id", text));
        let user = |text: &str| text.parse::<UserId>().map_err(|_| StoreError::corrupt("user", text));
        Ok(Self {
            id: id(&row.id)?,
            user: user(&row.user_id)?,
            name: row.name,
            mode: mode_of(&row.mode)?,
            scopes: Scopes::read(&row.scopes),
            created_by: user(&row.created_by)?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            replaced_by: row.replaced_by.as_deref().map(id).transpose()?,
        })
    }
}

fn mode_of(column: &str) -> Result<KeyMode, StoreError> {
    column.parse().map_err(|_| StoreError::corrupt("key mode", column))
}

/// One statement reads one key and many: the condition at its end is what differs.
macro_rules! select_keys {
    ($condition:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            "SELECT id, user_id, name, mode, scopes, created_by, created_at, expires_at, last_used_at, revoked_at,
                    replaced_by
               FROM api_keys " + $condition,
            $($argument),*
        )
    };
}

/// Stores a key of a user who may have `limit` that are in force.
///
/// # Errors
/// The database is away.
pub async fn create(pool: &PgPool, new: &NewKey<'_>, limit: i64, audit: &Note) -> Result<Created, StoreError> {
    let mut tx = begin(pool).await?;
    // Locked, so that a user who is being deleted leaves no key behind, and a limit is one.
    let user = sqlx::query_scalar!(
        "SELECT id FROM users WHERE tenant = $1 AND id = $2 FOR UPDATE",
        new.tenant.as_str(),
        new.user.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if user.is_none() {
        return Ok(Created::NoSuchUser);
    }
    let in_force = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_keys
            WHERE tenant = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > now()"#,
        new.tenant.as_str(),
        new.user.as_str()
    )
    .fetch_one(&mut *tx)
    .await?;
    if in_force >= limit {
        return Ok(Created::TooMany);
    }
    if new.key.mode() == KeyMode::Test {
        sandboxes::ensure(&mut tx, new.tenant).await?;
    }
    let stored = insert(&mut tx, new).await?;
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Created::New(stored))
}

async fn insert(tx: &mut PgConnection, new: &NewKey<'_>) -> Result<StoredKey, StoreError> {
    let created_at = sqlx::query_scalar!(
        "INSERT INTO api_keys (id, tenant, user_id, name, mode, hash, scopes, created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING created_at",
        new.key.id().as_str(),
        new.tenant.as_str(),
        new.user.as_str(),
        new.name,
        new.key.mode().as_str(),
        &new.key.hash()[..],
        new.scopes.to_string(),
        new.created_by.as_str(),
        new.expires_at
    )
    .fetch_one(tx)
    .await?;
    Ok(StoredKey {
        id: new.key.id().clone(),
        user: new.user.clone(),
        name: new.name.to_owned(),
        mode: new.key.mode(),
        scopes: new.scopes.clone(),
        created_by: new.created_by.clone(),
        created_at,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
        replaced_by: None,
    })
}

/// Reads a key.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, owner: Owner<'_>, id: &ApiKeyId) -> Result<Option<StoredKey>, StoreError> {
    let row = select_keys!(
        "WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3)",
        owner.tenant.as_str(),
        id.as_str(),
        owner.user_column()
    )
    .fetch_optional(pool)
    .await?;
    row.map(StoredKey::try_from).transpose()
}

/// Up to `limit` keys, the newest first, or those that follow `after`; those that have ended too.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    owner: Owner<'_>,
    after: Option<&KeyPlace>,
    limit: i64,
) -> Result<Vec<StoredKey>, StoreError> {
    let rows = select_keys!(
        "WHERE tenant = $1 AND ($2::text IS NULL OR user_id = $2)
           AND ($3::timestamptz IS NULL OR created_at < $3 OR created_at = $3 AND id > $4)
         ORDER BY created_at DESC, id LIMIT $5",
        owner.tenant.as_str(),
        owner.user_column(),
        after.map(|place| place.created_at),
        after.map(|place| place.id.as_str()),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(StoredKey::try_from).collect()
}

/// Puts a new key in the place of one that is in force; that one ends after the overlap, unless it ends before.
///
/// # Errors
/// The database is away.
pub async fn rotate(pool: &PgPool, rotation: &Rotation<'_>, audit: &Note) -> Result<Rotated, StoreError> {
    let Rotation { owner, old, new, created_by, expires_at, overlap_seconds } = *rotation;
    let mut tx = begin(pool).await?;
    let row = sqlx::query!(
        r#"SELECT user_id, name, scopes, now() + (expires_at - created_at) AS "expires_at!",
                  (revoked_at IS NOT NULL OR replaced_by IS NOT NULL OR expires_at <= now()) AS "ended!"
             FROM api_keys WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3) FOR UPDATE"#,
        owner.tenant.as_str(),
        old.as_str(),
        owner.user_column()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(Rotated::NoSuchKey) };
    if row.ended {
        return Ok(Rotated::Ended);
    }
    let user = row.user_id.parse::<UserId>().map_err(|_| StoreError::corrupt("user", &row.user_id))?;
    let successor = NewKey {
        key: new,
        tenant: owner.tenant,
        user: &user,
        name: &row.name,
        scopes: &Scopes::read(&row.scopes),
        created_by,
        expires_at: expires_at.unwrap_or(row.expires_at),
    };
    let stored = insert(&mut tx, &successor).await?;
    sqlx::query!(
        "UPDATE api_keys SET replaced_by = $2, expires_at = least(expires_at, now() + make_interval(secs => $3))
          WHERE id = $1",
        old.as_str(),
        new.id().as_str(),
        overlap_seconds
    )
    .execute(&mut *tx)
    .await?;
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Rotated::Into(stored))
}

/// Ends a key at once and for ever; one that has ended stays so. Tells whether there is such a key.
///
/// # Errors
/// The database is away.
pub async fn revoke(pool: &PgPool, owner: Owner<'_>, id: &ApiKeyId, audit: &Note) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let revoked = sqlx::query!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
          WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3)",
        owner.tenant.as_str(),
        id.as_str(),
        owner.user_column()
    )
    .execute(&mut *tx)
    .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}
