//! Noted entries become links of their tenant's chain.

use alloy::primitives::B256;
use jobs::TenantId;
use jobs::audit::{Head, Link, link};
use serde_json::{Map, Value};
use sqlx::{PgConnection, PgPool};

use super::read::head_of;
use crate::{StoreError, begin};

/// Entries that one transaction chains at most.
const BATCH: i64 = 500;

/// Whether a chain's turn is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Until whoever appends now has done so.
    Waited,
    /// Whoever appends now takes these entries too, or the next look does.
    Tried,
}

/// Chains whatever was noted in all tenants' names. Any number of processes may do so at once.
///
/// # Errors
/// The database is away; what was chained stays so.
pub async fn chain_all(pool: &PgPool) -> Result<u64, StoreError> {
    let tenants = sqlx::query_scalar!("SELECT DISTINCT tenant FROM audit_notes").fetch_all(pool).await?;
    let mut chained = 0;
    for tenant in tenants {
        let tenant = tenant.parse().map_err(|_| StoreError::corrupt("tenant", &tenant))?;
        chained += all_of(pool, &tenant, Turn::Tried).await?;
    }
    Ok(chained)
}

/// Chains what was noted in a tenant's name before now, so that whoever reads sees it.
///
/// # Errors
/// The database is away.
pub async fn catch_up(pool: &PgPool, tenant: &TenantId) -> Result<(), StoreError> {
    all_of(pool, tenant, Turn::Waited).await?;
    Ok(())
}

async fn all_of(pool: &PgPool, tenant: &TenantId, turn: Turn) -> Result<u64, StoreError> {
    let mut chained = 0;
    loop {
        let batch = next(pool, tenant, turn).await?;
        chained += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(chained);
        }
    }
}

/// One transaction's worth. The head's row is locked from its reading to its commit: so a chain has one end.
async fn next(pool: &PgPool, tenant: &TenantId, turn: Turn) -> Result<u64, StoreError> {
    let waits = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM audit_notes WHERE tenant = $1) AS "waits!""#,
        tenant.as_str()
    );
    if !waits.fetch_one(pool).await? {
        return Ok(0);
    }
    let mut tx = begin(pool).await?;
    let Some(head) = lock(&mut tx, tenant, turn).await? else { return Ok(0) };
    let mut noted = sqlx::query!(
        "DELETE FROM audit_notes WHERE id IN (SELECT id FROM audit_notes WHERE tenant = $1 ORDER BY id LIMIT $2)
         RETURNING id, at, entry",
        tenant.as_str(),
        BATCH
    )
    .fetch_all(&mut *tx)
    .await?;
    noted.sort_by_key(|note| note.id);
    let mut links = Vec::with_capacity(noted.len());
    let mut times = Vec::with_capacity(noted.len());
    let mut newest = head;
    for note in noted {
        let entry: Map<String, Value> =
            serde_json::from_str(&note.entry).map_err(|_| StoreError::corrupt("audit note", note.id))?;
        let linked = link(tenant, entry, newest);
        newest = linked.head;
        links.push(linked);
        times.push(note.at);
    }
    if links.is_empty() {
        return Ok(0);
    }
    insert(&mut tx, tenant, &links, &times).await?;
    sqlx::query!(
        "UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant = $1",
        tenant.as_str(),
        newest.seq,
        newest.hash.as_slice()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(links.len() as u64)
}

/// The end of the chain, which nobody else moves until the transaction's end; `None` when somebody else does and the turn
/// is not waited for.
async fn lock(tx: &mut PgConnection, tenant: &TenantId, turn: Turn) -> Result<Option<Head>, StoreError> {
    sqlx::query!(
        "INSERT INTO audit_heads (tenant, seq, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
        tenant.as_str(),
        B256::ZERO.as_slice()
    )
    .execute(&mut *tx)
    .await?;
    let row = match turn {
        Turn::Waited => {
            let head = sqlx::query!("SELECT seq, hash FROM audit_heads WHERE tenant = $1 FOR UPDATE", tenant.as_str());
            head.fetch_optional(tx).await?.map(|row| (row.seq, row.hash))
        }
        Turn::Tried => {
            let head = sqlx::query!(
                "SELECT seq, hash FROM audit_heads WHERE tenant = $1 FOR UPDATE SKIP LOCKED",
                tenant.as_str()
            );
            head.fetch_optional(tx).await?.map(|row| (row.seq, row.hash))
        }
    };
    row.map(|(seq, hash)| head_of(seq, &hash)).transpose()
}

async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    links: &[Link],
    times: &[chrono::DateTime<chrono::Utc>],
) -> Result<(), StoreError> {
    let numbers: Vec<i64> = links.iter().map(|link| link.head.seq).collect();
    let texts: Vec<String> = links.iter().map(|link| link.text.clone()).collect();
    let hashes: Vec<Vec<u8>> = links.iter().map(|link| link.head.hash.to_vec()).collect();
    sqlx::query!(
        "INSERT INTO audit_log (tenant, seq, at, entry, hash)
         SELECT $1, seq, at, entry, hash
           FROM UNNEST($2::bigint[], $3::timestamptz[], $4::text[], $5::bytea[]) AS linked (seq, at, entry, hash)",
        tenant.as_str(),
        &numbers,
        times,
        &texts,
        &hashes
    )
    .execute(tx)
    .await?;
    Ok(())
}
