//! Corrections: rows that change what others amount to. No row is ever changed itself.

use sqlx::{PgPool, Postgres, Transaction};

use crate::{StoreError, begin};

/// What became of a correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// The id of the new row.
    Booked(String),
    /// There is no such row.
    NoSuchRow,
    /// The row is a correction itself, or one that was taken back: its own row is corrected.
    NotCorrectable,
    /// The row would amount to less than nothing.
    BelowNothing,
    /// The job would be billed more units than this, which its quote allows.
    BeyondCeiling(i64),
}

struct Original {
    tenant: String,
    job_id: Option<uuid::Uuid>,
    metric: String,
    segment: String,
    units: i64,
    /// A row of use that counts.
    is_open: bool,
    /// Rows that correct it.
    corrections: i64,
    /// What it and they amount to.
    amounts: i64,
    /// What the job's quote allows of this metric.
    ceiling: Option<i64>,
}

/// Books a correction of a row: `units` (as the ledger counts) more, or less, for a reason.
///
/// # Errors
/// The database is away.
pub async fn correct(pool: &PgPool, id: &str, units: i64, reason: &str) -> Result<Corrected, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(original) = locked(&mut tx, id).await? else { return Ok(Corrected::NoSuchRow) };
    if !original.is_open {
        return Ok(Corrected::NotCorrectable);
    }
    if original.amounts.saturating_add(units) < 0 {
        return Ok(Corrected::BelowNothing);
    }
    if let Some(ceiling) = original.ceiling.filter(|ceiling| original.amounts.saturating_add(units) > *ceiling) {
        return Ok(Corrected::BeyondCeiling(ceiling));
    }
    let number = original.corrections + 1;
    let segment = format!("{}.{number}", original.segment);
    let correction = format!("{}.{number}", id);
    sqlx::query!(
        "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at, reason, corrects)
         VALUES ($1, $2, $3, $4, $5, $6, now(), $7, $8)",
        correction,
        original.tenant,
        original.job_id,
        original.metric,
        segment,
        units,
        reason,
        id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Corrected::Booked(correction))
}

/// Which row is booked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// One that waits for its delivery.
    Waiting,
    /// One that was delivered and is billed all the same by nothing.
    Delivered,
}

/// Books a row anew that can be billed no more under the time that it has: one row takes it back, and is billed as little
/// as it; another one is due, as of the same moment. `false` when the row is no such row any more.
///
/// # Errors
/// The database is away.
pub async fn book_anew(pool: &PgPool, id: &str, which: Anew, reason: &str) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(original) = locked(&mut tx, id).await? else { return Ok(false) };
    let taken_back = sqlx::query!(
        "UPDATE usage_ledger SET voided = true, dead_reason = $2
          WHERE id = $1 AND (delivered_at IS NOT NULL) = $3 AND dead_reason IS NULL AND NOT voided",
        id,
        reason,
        which == Anew::Delivered
    )
    .execute(&mut *tx)
    .await?;
    if taken_back.rows_affected() == 0 {
        return Ok(false);
    }
    let (back, anew) = (original.corrections + 1, original.corrections + 2);
    sqlx::query!(
        "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at, reason, corrects, voided,
                                   dead_reason, gas, gas_tx_hash)
         SELECT id || '.' || n.number, tenant, job_id, metric, segment || '.' || n.number, n.units, occurred_at, $2, id,
                n.back, CASE WHEN n.back THEN $2 END, CASE WHEN n.back THEN -gas ELSE gas END, gas_tx_hash
           FROM usage_ledger u CROSS JOIN (VALUES ($3::bigint, -$5::bigint, true), ($4, $5, false)) AS n (number, units, back)
          WHERE u.id = $1",
        id,
        reason,
        back,
        anew,
        original.units
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// A row, which nobody else corrects meanwhile.
async fn locked(tx: &mut Transaction<'static, Postgres>, id: &str) -> Result<Option<Original>, StoreError> {
    // Its own statement: what the lock was waited for is seen by the next one.
    let found = sqlx::query_scalar!("SELECT id FROM usage_ledger WHERE id = $1 FOR UPDATE", id);
    if found.fetch_optional(&mut **tx).await?.is_none() {
        return Ok(None);
    }
    let original = sqlx::query_as!(
        Original,
        r#"SELECT u.tenant, u.job_id, u.metric, u.segment, u.units, (u.corrects IS NULL AND NOT u.voided) AS "is_open!",
                  count(c.id) AS "corrections!", (u.units + coalesce(sum(c.units), 0))::bigint AS "amounts!",
                  (SELECT CASE u.metric WHEN 'compute_units' THEN j.unit_ceiling
                                        WHEN 'fhe_compute_units' THEN j.fhe_unit_ceiling END
                     FROM jobs j WHERE j.id = u.job_id) AS ceiling
             FROM usage_ledger u LEFT JOIN usage_ledger c ON c.corrects = u.id
            WHERE u.id = $1 GROUP BY u.id"#,
        id
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Some(original))
}
