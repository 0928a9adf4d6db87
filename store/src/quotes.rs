//! Quotes: what a job may cost at most, promised to a tenant for a body and for a while. An admission uses one up in its own
//! transaction, so that of many at once exactly one does, and none whose job was not accepted.

use alloy::primitives::B256;
use chrono::{DateTime, Utc};
use jobs::submission::Submission;
use jobs::usage::{Excess, Units};
use jobs::{JobId, QuoteId, TenantId, UserId};
use sqlx::{PgConnection, PgPool};

use crate::admission::{Submitter, column, submitter};
use crate::audit::Note;
use crate::jobs::{Reader, bytes};
use crate::limits::{self, Ceilings, Limited};
use crate::{StoreError, begin};

/// For how long an unused quote is told as expired, and not as unknown.
const KEPT_HOURS: i64 = 24;
/// Quotes that a statement removes, so that none holds many rows.
const SWEPT_AT_ONCE: i64 = 1_000;

/// A priced submission and who asks.
pub struct NewQuote<'a> {
    pub id: QuoteId,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub content_hash: B256,
    /// The most that the job can cost.
    pub units: Units,
    /// Of the tenant's month, if there are any.
    pub ceilings: Option<Ceilings>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub audit: &'a Note,
}

/// What became of the wish for a quote: the same that would become of the job, but for limits that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    Made,
    /// The caller's user is not registered.
    UnknownUser,
    /// The user has registered no address that the job could belong to.
    NoSubmitter,
    /// The month's units do not hold the job.
    Limited(Limited),
}

/// A quote that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredQuote {
    pub content_hash: B256,
    pub units: Units,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The job that used it.
    pub job_id: Option<JobId>,
}

/// Why no job is admitted under a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is none of this id, or it is another tenant's: nobody learns which.
    Unknown,
    /// A job was admitted under it.
    Used,
    /// It could be used until then.
    Expired(DateTime<Utc>),
    /// Another body was quoted.
    Mismatched,
    /// The job costs more for certain.
    TooDear(Excess),
}

/// Makes a quote, unless the job would be refused.
///
/// # Errors
/// The database is away.
pub async fn make(pool: &PgPool, new: &NewQuote<'_>) -> Result<Quoted, StoreError> {
    let mut tx = begin(pool).await?;
    match submitter(&mut tx, new.tenant, new.user).await? {
        Submitter::UnknownUser => return Ok(Quoted::UnknownUser),
        Submitter::Missing => return Ok(Quoted::NoSubmitter),
        Submitter::Address(_) => {}
    }
    if let Some(ceilings) = new.ceilings {
        let held = limits::held(&mut *tx, new.tenant, new.created_at).await?;
        if let Some(limited) = limits::beyond(new.units, held, ceilings) {
            return Ok(Quoted::Limited(limited));
        }
    }
    sqlx::query!(
        "INSERT INTO job_quotes (id, tenant, user_id, content_hash, units, fhe_units, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        new.tenant.as_str(),
        new.user.as_str(),
        new.content_hash.as_slice(),
        column(new.units.compute),
        column(new.units.fhe),
        new.created_at,
        new.expires_at
    )
    .execute(&mut *tx)
    .await?;
    new.audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Quoted::Made)
}

/// Reads a quote.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, reader: Reader<'_>, id: QuoteId) -> Result<Option<StoredQuote>, StoreError> {
    let row = sqlx::query!(
        "SELECT content_hash, units, fhe_units, created_at, expires_at, job_id
           FROM job_quotes WHERE id = $1 AND tenant = $2 AND ($3::text IS NULL OR user_id = $3)",
        id.0,
        reader.tenant.as_str(),
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(StoredQuote {
            content_hash: B256::new(bytes("content hash", &row.content_hash)?),
            units: units(row.units, row.fhe_units)?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            job_id: row.job_id.map(JobId),
        })
    })
    .transpose()
}

/// Holds the quote of a submission for the admission that `tx` is, and tells its ceiling; `None` where the submission names
/// no quote. Another admission under it waits for this one's end. Nothing is used up yet: that is for the statement that
/// writes the job.
pub(crate) async fn hold(
    tx: &mut PgConnection,
    tenant: &TenantId,
    submission: &Submission,
    now: DateTime<Utc>,
) -> Result<Result<Option<Units>, Unusable>, StoreError> {
    let Some(choice) = submission.quote else { return Ok(Ok(None)) };
    let row = sqlx::query!(
        "SELECT content_hash, units, fhe_units, expires_at, job_id FROM job_quotes
          WHERE id = $1 AND tenant = $2 FOR UPDATE",
        choice.id.0,
        tenant.as_str()
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(Err(Unusable::Unknown)) };
    let ceiling = units(row.units, row.fhe_units)?;
    let excess = submission.minimum_units().excess(ceiling);
    Ok(match (row.job_id, excess) {
        (Some(_), _) => Err(Unusable::Used),
        _ if row.content_hash != choice.content_hash.as_slice() => Err(Unusable::Mismatched),
        _ if row.expires_at <= now => Err(Unusable::Expired(row.expires_at)),
        (None, Some(excess)) => Err(Unusable::TooDear(excess)),
        (None, None) => Ok(Some(ceiling)),
    })
}

/// Removes quotes that nobody used in time; returns how many.
///
/// # Errors
/// The database is away.
pub async fn sweep(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut swept = 0;
    loop {
        let removed = sqlx::query!(
            "DELETE FROM job_quotes WHERE id IN (
                SELECT id FROM job_quotes WHERE job_id IS NULL AND expires_at < $1
                 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            now - chrono::Duration::hours(KEPT_HOURS),
            SWEPT_AT_ONCE
        )
        .execute(pool)
        .await?
        .rows_affected();
        swept += removed;
        if removed < SWEPT_AT_ONCE.unsigned_abs() {
            return Ok(swept);
        }
    }
}

/// A ceiling, as two columns hold it.
pub(crate) fn units(compute: i64, fhe: i64) -> Result<Units, StoreError> {
    let count = |column: i64| u64::try_from(column).map_err(|_| StoreError::corrupt("ceiling", column));
    Ok(Units { compute: count(compute)?, fhe: count(fhe)? })
}

/// The ceiling of a job, if it has one.
pub(crate) fn ceiling(compute: Option<i64>, fhe: Option<i64>) -> Result<Option<Units>, StoreError> {
    compute.zip(fhe).map(|(compute, fhe)| units(compute, fhe)).transpose()
}
