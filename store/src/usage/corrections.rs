//! Corrections: rows that change what others amount to. No row is ever changed itself.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use super::family::{self, Family, Then};
use crate::audit::Draft;
use crate::{StoreError, begin};

/// Most units, as the ledger counts, that a correction or what it corrects amounts to: far more than anybody uses, and far
/// less than a sum of many can hold.
pub const MOST: i64 = 10_000_000_000_000_000;

/// What is to be corrected.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    /// Id of the row that says what was used.
    pub row: &'a str,
    /// Units (as the ledger counts) more, or less.
    pub units: i64,
    pub reason: &'a str,
    /// First moment of the tenant's open period: what was billed before it is on an invoice. None where no period is open any
    /// more.
    pub open_from: Option<DateTime<Utc>>,
}

/// What became of a correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// The id of the new row.
    Booked(String),
    /// There is no such row.
    NoSuchRow,
    /// The row is a correction itself, or was taken back. The one that says what was used is corrected, if there is one.
    NotCorrectable { instead: Option<String> },
    /// Nothing bills the row yet: what it is corrected by would be taken from other usage, or added to it.
    DeadLetter,
    /// The row would amount to less than nothing.
    BelowNothing,
    /// The correction, or the row with it, would amount to more than [`MOST`].
    BeyondCounting,
    /// The job would be billed more units than this, which its quote allows.
    BeyondCeiling(i64),
    /// The open period has no more units of this metric than these, and no period bills less than nothing: what goes beyond
    /// them would never be given back.
    BelowOpenPeriod(i64),
    /// There is no open period that anything could be given back in: the tenant's subscription has ended.
    NoOpenPeriod,
}

/// Books a correction of a row. What is refused is not written down.
///
/// # Errors
/// The database is away.
pub async fn correct(pool: &PgPool, correction: Correction<'_>, audit: &Draft) -> Result<Corrected, StoreError> {
    let Correction { row, units, reason, open_from } = correction;
    let mut tx = begin(pool).await?;
    let Some(family) = family::locked(&mut tx, row).await? else { return Ok(Corrected::NoSuchRow) };
    let standing = family.standing();
    let Some(original) = standing.filter(|standing| standing.id == row) else {
        return Ok(Corrected::NotCorrectable { instead: standing.map(|standing| standing.id.clone()) });
    };
    if original.is_dead_letter() {
        return Ok(Corrected::DeadLetter);
    }
    let amounts = family.amounts().saturating_add(units);
    if units.unsigned_abs() > MOST.unsigned_abs() || amounts > MOST {
        return Ok(Corrected::BeyondCounting);
    }
    if amounts < 0 {
        return Ok(Corrected::BelowNothing);
    }
    if let Some(ceiling) = ceiling(&mut tx, &family).await?.filter(|ceiling| amounts > *ceiling) {
        return Ok(Corrected::BeyondCeiling(ceiling));
    }
    // What was used in a sandbox is in no period.
    if units < 0 && original.counts() {
        let Some(open_from) = open_from else { return Ok(Corrected::NoOpenPeriod) };
        let open = family::open_units(&mut tx, &family, open_from).await?;
        if open.saturating_add(units) < 0 {
            return Ok(Corrected::BelowOpenPeriod(open.max(0)));
        }
    }
    let id = family::add(&mut tx, &family, family.next(), units, reason).await?;
    let found = [("row", row), ("reason", reason), ("booked", id.as_str())];
    audit.of_usage(&family.tenant, &found)?.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Corrected::Booked(id))
}

/// What the quote of the family's job allows of its metric: one of each that is counted by the job.
async fn ceiling(tx: &mut Transaction<'static, Postgres>, family: &Family) -> Result<Option<i64>, StoreError> {
    let ceiling = sqlx::query_scalar!(
        r#"SELECT CASE $2::text WHEN 'compute_units' THEN unit_ceiling WHEN 'fhe_compute_units' THEN fhe_unit_ceiling
                  ELSE CASE WHEN coalesce(unit_ceiling, fhe_unit_ceiling) IS NOT NULL THEN 1 END
                  END AS "ceiling?"
             FROM jobs WHERE id = $1"#,
        family.job_id,
        family.metric
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(ceiling.flatten())
}

/// The tenant of a row.
///
/// # Errors
/// The database is away.
pub async fn tenant_of(pool: &PgPool, row: &str) -> Result<Option<String>, StoreError> {
    let tenant = sqlx::query_scalar!("SELECT tenant FROM usage_ledger WHERE id = $1", row);
    Ok(tenant.fetch_optional(pool).await?)
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
/// as it; another one is due, as of the same moment. `false` when the row is no such row any more. Written down when an
/// operator has it done.
///
/// # Errors
/// The database is away.
pub async fn book_anew(
    pool: &PgPool,
    id: &str,
    which: Anew,
    reason: &str,
    audit: Option<&Draft>,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(family) = family::locked(&mut tx, id).await? else { return Ok(false) };
    let Some(row) = family.member(id) else { return Ok(false) };
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
    family::take_back(&mut tx, &family, row, family.next(), reason, Then::Anew).await?;
    if let Some(audit) = audit {
        audit.of_usage(&family.tenant, &[("row", id), ("reason", reason)])?.write(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(true)
}
