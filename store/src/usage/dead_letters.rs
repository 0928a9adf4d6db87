//! Dead letters: rows that the billing system refused for good, until somebody has removed the cause.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::family::{self, Member, Then};
use crate::audit::{Draft, NAMED_ROWS};
use crate::{StoreError, begin};

/// A row that the billing system refused.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub id: String,
    pub tenant: String,
    pub metric: String,
    pub units: i64,
    pub occurred_at: DateTime<Utc>,
    pub reason: String,
}

/// Which dead letters.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    All,
    OfTenant(&'a str),
    /// These, by their ids.
    Named(&'a [String]),
}

impl<'a> Which<'a> {
    fn columns(self) -> (Option<&'a str>, Option<&'a [String]>) {
        match self {
            Self::All => (None, None),
            Self::OfTenant(tenant) => (Some(tenant), None),
            Self::Named(ids) => (None, Some(ids)),
        }
    }
}

/// The dead letters, the oldest first, at most `limit`. What is used in sandboxes is none, nor what was taken back.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool, which: Which<'_>, limit: i64) -> Result<Vec<DeadLetter>, StoreError> {
    let (tenant, ids) = which.columns();
    let rows = sqlx::query_as!(
        DeadLetter,
        r#"SELECT id, tenant, metric, units, occurred_at, dead_reason AS "reason!" FROM usage_ledger
            WHERE dead_reason IS NOT NULL AND dead_reason <> 'test mode' AND NOT voided
              AND ($1::text IS NULL OR tenant = $1) AND ($2::text[] IS NULL OR id = ANY($2))
            ORDER BY occurred_at, id LIMIT $3"#,
        tenant,
        ids,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// How many there are.
///
/// # Errors
/// The database is away.
pub async fn count(pool: &PgPool) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM usage_ledger
            WHERE dead_reason IS NOT NULL AND dead_reason <> 'test mode' AND NOT voided"#
    )
    .fetch_one(pool)
    .await?;
    Ok(count.unsigned_abs())
}

/// Makes dead letters due again: they are sent with the next turn, under a time that is fixed anew, since the billing
/// system has none of them. Answers their ids.
///
/// # Errors
/// The database is away.
pub async fn retry(pool: &PgPool, which: Which<'_>, audit: &Draft) -> Result<Vec<String>, StoreError> {
    let (tenant, ids) = which.columns();
    let mut tx = begin(pool).await?;
    let retried = sqlx::query!(
        "UPDATE usage_ledger SET dead_reason = NULL, billed_at = NULL
          WHERE dead_reason IS NOT NULL AND dead_reason <> 'test mode' AND NOT voided AND delivered_at IS NULL
            AND ($1::text IS NULL OR tenant = $1) AND ($2::text[] IS NULL OR id = ANY($2))
        RETURNING id, tenant",
        tenant,
        ids
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut of_tenants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &retried {
        of_tenants.entry(&row.tenant).or_default().push(&row.id);
    }
    for (tenant, mut rows) in of_tenants {
        rows.sort_unstable();
        for rows in rows.chunks(NAMED_ROWS) {
            let rows = rows.join(" ");
            audit.of_usage(tenant, &[("rows", rows.as_str())])?.write(&mut tx).await?;
        }
    }
    tx.commit().await?;
    Ok(retried.into_iter().map(|row| row.id).collect())
}

/// Writes a dead letter off: it and a row that takes it back are billed by nothing, for good. What takes units back from a
/// row of use that is written off goes with it: refused, it is written off too; billed, it is made good in the open period.
/// Answers the ids of what was written off; `None` when the row is no dead letter.
///
/// # Errors
/// The database is away.
pub async fn write_off(
    pool: &PgPool,
    id: &str,
    reason: &str,
    audit: &Draft,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(family) = family::locked(&mut tx, id).await? else { return Ok(None) };
    let Some(letter) = family.member(id).filter(|row| row.is_dead_letter()) else { return Ok(None) };
    let is_use = family.standing().is_some_and(|standing| standing.id == letter.id);
    let goes_along = |row: &&Member| is_use && row.id != letter.id && row.units < 0 && row.is_dead_letter();
    let mut number = family.next();
    let mut written_off = Vec::new();
    let rows: Vec<&Member> = std::iter::once(letter).chain(family.members().filter(goes_along)).collect();
    for row in rows {
        sqlx::query!("UPDATE usage_ledger SET voided = true WHERE id = $1", row.id).execute(&mut *tx).await?;
        family::take_back(&mut tx, &family, row, number, reason, Then::Nothing).await?;
        written_off.push(row.id.clone());
        number += 1;
    }
    let billed = family.members().filter(|row| row.counts()).fold(0_i64, |sum, row| sum.saturating_add(row.units));
    if is_use && billed < 0 {
        let reason = format!("what it took from was written off: {reason}");
        family::add(&mut tx, &family, number, billed.saturating_neg(), &reason).await?;
    }
    let rows = written_off.join(" ");
    audit.of_usage(&family.tenant, &[("rows", rows.as_str()), ("reason", reason)])?.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Some(written_off))
}
