//! Chained entries, read by pages.

use alloy::primitives::B256;
use jobs::TenantId;
use jobs::audit::Head;
use serde_json::Value;
use sqlx::PgPool;

use crate::StoreError;

/// Which entries are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub action: Option<&'a str>,
    pub user: Option<&'a str>,
}

/// In which order, and after which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    OldestFirst { after: i64 },
    NewestFirst { before: Option<i64> },
}

pub(super) fn head_of(seq: i64, hash: &[u8]) -> Result<Head, StoreError> {
    let hash = B256::try_from(hash).map_err(|_| StoreError::corrupt("hash of an audit entry", hex(hash)))?;
    Ok(Head { seq, hash })
}

fn hex(bytes: &[u8]) -> String {
    alloy::primitives::hex::encode_prefixed(bytes)
}

/// The newest entry of a tenant's chain, as it is kept apart from the chain.
///
/// # Errors
/// The database is away.
pub async fn head(pool: &PgPool, tenant: &TenantId) -> Result<Head, StoreError> {
    let row = sqlx::query!("SELECT seq, hash FROM audit_heads WHERE tenant = $1", tenant.as_str())
        .fetch_optional(pool)
        .await?;
    row.map_or(Ok(Head::default()), |row| head_of(row.seq, &row.hash))
}

/// One statement reads in either order: what differs is at its end.
macro_rules! select_entries {
    ($condition:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            "SELECT seq, entry, hash FROM audit_log
              WHERE tenant = $1 AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR user_id = $3) " + $condition,
            $($argument),*
        )
    };
}

struct Row {
    seq: i64,
    entry: String,
    hash: Vec<u8>,
}

/// An entry as it is stored, whether or not that is what was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place, as the database has it; the entry says it, too.
    pub seq: i64,
    /// The entry with its hash. What was made unreadable is a text.
    pub entry: Value,
}

/// Up to `limit` entries of a tenant.
///
/// # Errors
/// The database is away.
pub async fn page(
    pool: &PgPool,
    tenant: &TenantId,
    filter: Filter<'_>,
    place: Place,
    limit: i64,
) -> Result<Vec<Stored>, StoreError> {
    let Filter { action, user } = filter;
    let rows = match place {
        Place::OldestFirst { after } => {
            let entries =
                select_entries!("AND seq > $4 ORDER BY seq LIMIT $5", tenant.as_str(), action, user, after, limit);
            entries.fetch_all(pool).await?
        }
        Place::NewestFirst { before } => {
            let before = before.unwrap_or(i64::MAX);
            let entries = select_entries!(
                "AND seq < $4 ORDER BY seq DESC LIMIT $5",
                tenant.as_str(),
                action,
                user,
                before,
                limit
            );
            entries.fetch_all(pool).await?
        }
    };
    Ok(rows.into_iter().map(|row| Stored { seq: row.seq, entry: told(&row.entry, &row.hash) }).collect())
}

fn told(entry: &str, hash: &[u8]) -> Value {
    match serde_json::from_str(entry) {
        Ok(Value::Object(mut members)) => {
            members.insert("hash".to_owned(), hex(hash).into());
            Value::Object(members)
        }
        _ => Value::String(entry.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_stored_hash_is_told_whatever_the_entry_says() {
        assert_eq!(told(r#"{"seq":1}"#, &[7; 2]), json!({"seq": 1, "hash": "0x0707"}));
        assert_eq!(told(r#"{"hash":"0x00"}"#, &[7]), json!({"hash": "0x07"}));
        assert_eq!(told("{", &[7]), json!("{"));
    }
}
