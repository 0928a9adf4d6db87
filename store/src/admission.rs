//! Admission: idempotency, limits, reservation, the job and its pending start in one transaction; the commit is the 202.

use chrono::{DateTime, NaiveDate, Utc};
use jobs::credits::Counted;
use jobs::submission::{JobType, Priority, Submission};
use jobs::usage::{FIRST_SEGMENT, Metric, Units, row_id};
use jobs::{IdempotencyKey, JobId, JobStatus, TenantId, UserId, idempotency, workflow_id};
use sqlx::{PgConnection, PgPool};

use crate::audit::Note;
use crate::credits::{self, Prepaid};
use crate::limits::{self, Active, AdmissionLimits, Limited, MonthUnits, Taken};
use crate::quotes::{self, Unusable};
use crate::uploads::Kind;
use crate::{StoreError, begin, events, notifications};

/// A checked submission and who sends it.
pub struct Admission<'a> {
    pub job_id: JobId,
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub key: &'a IdempotencyKey,
    pub submission: &'a Submission,
    /// Those of the user's role and the tenant's plan.
    pub limits: AdmissionLimits,
    /// Where the tenant's credits must pay for the job.
    pub prepaid: Option<Prepaid<'a>>,
    pub created_at: DateTime<Utc>,
    pub estimated_completion: DateTime<Utc>,
    pub request_id: &'a str,
    /// Body of the 202, kept for replays.
    pub response: &'a str,
    pub audit: &'a Note,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Admitted {
    /// Accepted now. What its tenant holds of the month then, if there is a limit.
    New { month: Option<MonthUnits> },
    /// The key was used with this body before: its 202 again.
    Replayed { response: String },
    /// The key was used with another body, at this time.
    KeyReused { first_use: DateTime<Utc> },
    /// Another request holds the key at this moment.
    InProgress,
    /// The caller's user is not registered.
    UnknownUser,
    /// The user has registered no address that the job could belong to.
    NoSubmitter,
    /// The deadline has passed, and the key was not used with this body before.
    Late,
    /// The blob or the client's key that the job names was deleted a moment ago.
    Missing(Kind),
    /// A limit does not admit it.
    Limited(Limited),
    /// Its quote does not admit it.
    NotQuoted(Unusable),
}

/// Takes a submission in.
///
/// # Errors
/// [`StoreError::Unavailable`]: nothing is half done. A commit whose answer was lost is found again by its key.
pub async fn admit(pool: &PgPool, admission: Admission<'_>) -> Result<Admitted, StoreError> {
    let mut tx = begin(pool).await?;
    let admitted = take_in(&mut tx, &admission).await?;
    match admitted {
        Admitted::New { .. } => tx.commit().await?,
        // Awaited, because the key is locked until then: a client that got this answer may use the key again at once.
        _ => tx.rollback().await?,
    }
    Ok(admitted)
}

async fn take_in(tx: &mut PgConnection, admission: &Admission<'_>) -> Result<Admitted, StoreError> {
    if !lock_key(tx, admission).await? {
        return Ok(Admitted::InProgress);
    }
    let previous = sqlx::query!(
        "SELECT content_hash, response, created_at FROM idempotency_keys WHERE tenant = $1 AND key = $2",
        admission.tenant.as_str(),
        admission.key.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(first) = previous.as_ref().filter(|first| first.created_at > oldest_in_force(admission.created_at)) {
        let same = first.content_hash == admission.submission.content_hash.as_slice();
        return Ok(match same {
            true => Admitted::Replayed { response: first.response.clone() },
            false => Admitted::KeyReused { first_use: first.created_at },
        });
    }
    if admission.submission.is_late(admission.created_at) {
        return Ok(Admitted::Late);
    }
    let submitter = match submitter(tx, admission.tenant, admission.user).await? {
        Submitter::Address(submitter) => submitter,
        Submitter::UnknownUser => return Ok(Admitted::UnknownUser),
        Submitter::Missing => return Ok(Admitted::NoSubmitter),
    };
    let workflow = match previous {
        None => workflow_id::first_use(admission.tenant, admission.key),
        Some(_) => workflow_id::later_use(admission.tenant, admission.key, admission.job_id),
    };
    let ceiling = match quotes::hold(tx, admission.tenant, admission.submission, admission.created_at).await? {
        Ok(ceiling) => ceiling,
        Err(unusable) => return Ok(Admitted::NotQuoted(unusable)),
    };
    let taken = match take(tx, admission, ceiling).await? {
        Ok(taken) => taken,
        Err(limited) => return Ok(Admitted::Limited(limited)),
    };
    if let Some(missing) = insert(tx, admission, &submitter, &workflow, &taken).await? {
        return Ok(Admitted::Missing(missing));
    }
    events::status(tx, admission.job_id, admission.tenant.as_str(), None, JobStatus::Pending, None).await?;
    Ok(Admitted::New { month: taken.month.map(|(_, held)| held) })
}

/// Whom a user's jobs belong to.
pub(crate) enum Submitter {
    Address(Vec<u8>),
    /// The user has registered none.
    Missing,
    UnknownUser,
}

/// The address of a user's jobs, of a sandbox's too.
pub(crate) async fn submitter(
    tx: &mut PgConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Submitter, StoreError> {
    let user = sqlx::query!(
        "SELECT u.submitter FROM tenants t JOIN users u ON u.tenant = coalesce(t.sandbox_of, t.id)
          WHERE t.id = $1 AND u.id = $2",
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(tx)
    .await?;
    Ok(match user.map(|user| user.submitter) {
        None => Submitter::UnknownUser,
        Some(None) => Submitter::Missing,
        Some(Some(address)) => Submitter::Address(address),
    })
}

/// What an admission took of its limits.
struct Share {
    /// Beyond which the job is not computed and not billed: its quote's.
    ceiling: Option<Units>,
    /// What the job may cost at most.
    reserved: Units,
    /// Place among the user's active jobs.
    slot: Option<i32>,
    /// Where its units count, and what the tenant holds then.
    month: Option<(NaiveDate, MonthUnits)>,
}

/// Takes what the job needs of each limit: last of all before the rows are written, so that nothing is held for long. Always
/// in this order, so that nobody waits for somebody who waits for it.
async fn take(
    tx: &mut PgConnection,
    admission: &Admission<'_>,
    ceiling: Option<Units>,
) -> Result<Result<Share, Limited>, StoreError> {
    let (tenant, limits) = (admission.tenant, &admission.limits);
    let slot = match limits::take_slot(tx, tenant, admission.user, limits).await? {
        Active::Slot(slot) => slot,
        Active::Refused(limited) => return Ok(Err(limited)),
    };
    let maximum = admission.submission.maximum_units();
    let wanted = ceiling.map_or(maximum, |ceiling| maximum.at_most(ceiling));
    let mut share = Share { ceiling, reserved: wanted, slot, month: None };
    if let Some(ceilings) = limits.units {
        match limits::take(tx, tenant, admission.created_at, wanted, ceilings).await? {
            Taken::Yes { month, held, told } => {
                let admitted = notifications::Admitted { tenant, limits, wanted, month, held, told: &told };
                notifications::cross(tx, &admitted).await?;
                share.month = Some((month, held));
            }
            Taken::No(limited) => return Ok(Err(limited)),
        }
    }
    let Some(prepaid) = admission.prepaid else { return Ok(Ok(share)) };
    let unpaid = credits::ask(tx, tenant, &Counted::of_job(wanted), prepaid).await?;
    Ok(unpaid.map_or(Ok(share), |unpaid| Err(Limited::Credits(unpaid))))
}

/// What an earlier use of a key in the last 24 hours answers, whatever has become of what the submission names.
///
/// # Errors
/// The database is away.
pub async fn earlier(
    pool: &PgPool,
    tenant: &TenantId,
    key: &IdempotencyKey,
    content_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Admitted>, StoreError> {
    let first = sqlx::query!(
        "SELECT content_hash, response, created_at FROM idempotency_keys
          WHERE tenant = $1 AND key = $2 AND created_at > $3",
        tenant.as_str(),
        key.as_str(),
        oldest_in_force(now)
    )
    .fetch_optional(pool)
    .await?;
    Ok(first.map(|first| match first.content_hash == content_hash {
        true => Admitted::Replayed { response: first.response },
        false => Admitted::KeyReused { first_use: first.created_at },
    }))
}

/// When a key must have been used, or later, to be in force now.
fn oldest_in_force(now: DateTime<Utc>) -> DateTime<Utc> {
    now - chrono::Duration::hours(idempotency::LIFETIME_HOURS)
}

/// Tries the lock instead of waiting for it, so that a burst on one key holds no connections.
async fn lock_key(tx: &mut PgConnection, admission: &Admission<'_>) -> Result<bool, StoreError> {
    let name = format!("idempotency/{}/{}", admission.tenant, admission.key);
    let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "locked!""#, name)
        .fetch_one(tx)
        .await?;
    Ok(locked)
}

/// One statement for all rows, so that admission costs one round trip whatever it writes. Tells what the job names and is
/// not there: the foreign keys of its reservation see that.
async fn insert(
    tx: &mut PgConnection,
    admission: &Admission<'_>,
    submitter: &[u8],
    workflow: &str,
    taken: &Share,
) -> Result<Option<Kind>, StoreError> {
    let submission = admission.submission;
    let reserved = taken.reserved;
    let (blob, client_key) = (submission.blob(), submission.client_key());
    let inserted = sqlx::query!(
        r#"
        WITH job AS (
            INSERT INTO jobs (id, tenant, user_id, submitter, job_type, algorithm, payload, content_hash, priority,
                              deadline, timeout_seconds, request_id, created_at, updated_at, estimated_completion,
                              workflow_id, current_workflow_id, active_slot, test_mode, unit_ceiling, fhe_unit_ceiling)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $15, $25,
                    (SELECT sandbox_of IS NOT NULL FROM tenants WHERE id = $2), $30, $31)
        ), quote AS (
            UPDATE job_quotes SET job_id = $1 WHERE id = $29
        ), start AS (
            INSERT INTO job_starts (job_id, tenant, priority, workflow_id) VALUES ($1, $2, $9, $15)
        ), reservation AS (
            INSERT INTO job_reservations (job_id, tenant, units, fhe_units, blob, client_key, quota_month)
            VALUES ($1, $2, $16, $22, $23, $24, $26)
        ), usage AS (
            INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at)
            VALUES ($17, $2, $1, $18, $19, 1, $13)
        ), audit AS (
            INSERT INTO audit_notes (tenant, at, entry) VALUES ($2, $27, $28)
        )
        INSERT INTO idempotency_keys (tenant, key, content_hash, job_id, response, created_at)
        VALUES ($2, $20, $8, $1, $21, $13)
        ON CONFLICT (tenant, key) DO UPDATE
           SET content_hash = EXCLUDED.content_hash, job_id = EXCLUDED.job_id, response = EXCLUDED.response,
               created_at = EXCLUDED.created_at
        "#,
        admission.job_id.0,
        admission.tenant.as_str(),
        admission.user.as_str(),
        submitter,
        submission.job_type().as_str(),
        submission.algorithm(),
        submission.payload,
        submission.content_hash.as_slice(),
        priority_column(submission.priority),
        submission.deadline,
        i32::try_from(submission.timeout_seconds()).unwrap_or(i32::MAX),
        admission.request_id,
        admission.created_at,
        admission.estimated_completion,
        workflow,
        column(reserved.compute),
        row_id(admission.job_id, Metric::JobsSubmitted, FIRST_SEGMENT),
        Metric::JobsSubmitted.as_str(),
        FIRST_SEGMENT,
        admission.key.as_str(),
        admission.response,
        column(reserved.fhe),
        blob.as_ref().map(<[u8; 32]>::as_slice),
        client_key.as_ref().map(<[u8; 32]>::as_slice),
        taken.slot,
        taken.month.map(|(month, _)| month),
        admission.audit.entry.at,
        admission.audit.take()?,
        submission.quote.map(|quote| quote.id.0),
        taken.ceiling.map(|ceiling| column(ceiling.compute)),
        taken.ceiling.map(|ceiling| column(ceiling.fhe)),
    )
    .execute(tx)
    .await;
    match inserted {
        Ok(_) => Ok(None),
        Err(error) => match missing(&error) {
            Some(kind) => Ok(Some(kind)),
            None => Err(error.into()),
        },
    }
}

fn missing(error: &sqlx::Error) -> Option<Kind> {
    match error.as_database_error()?.constraint()? {
        "job_reservations_blob" => Some(Kind::Blob),
        "job_reservations_client_key" => Some(Kind::ClientKey),
        _ => None,
    }
}

/// Units as the database holds them.
pub(crate) fn column(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn priority_column(priority: Priority) -> i16 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
    }
}

pub(crate) fn priority_of(column: i16) -> Result<Priority, StoreError> {
    match column {
        1 => Ok(Priority::Low),
        2 => Ok(Priority::Normal),
        3 => Ok(Priority::High),
        other => Err(StoreError::corrupt("priority", other)),
    }
}

pub(crate) fn job_type_of(column: &str) -> Result<JobType, StoreError> {
    column.parse().map_err(|_| StoreError::corrupt("job type", column))
}
