//! Tenants' accounts as the billing system told them last, and what was used since.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use jobs::credits::{Counted, Purse, Told};
use jobs::usage::Units;
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool};

use crate::StoreError;

/// A question to the billing system that is about to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// What was delivered before is in the answer.
    pub as_of: DateTime<Utc>,
    /// Nothing that was not delivered by then is billed under an earlier time.
    pub rows_from: DateTime<Utc>,
}

/// Notes when the billing system is asked, before it is.
///
/// # Errors
/// The database is away.
pub async fn asking(pool: &PgPool, tenant: &str) -> Result<Asking, StoreError> {
    // A minute for rows that are written at this moment.
    let asking = sqlx::query_as!(
        Asking,
        r#"SELECT clock_timestamp() AS "as_of!",
                  least(clock_timestamp(), (SELECT min(coalesce(billed_at, occurred_at)) FROM usage_ledger
                                             WHERE tenant = $1 AND delivered_at IS NULL AND dead_reason IS NULL))
                  - interval '1 minute' AS "rows_from!""#,
        tenant
    )
    .fetch_one(pool)
    .await?;
    Ok(asking)
}

/// What an account owes of a period that is over.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// Beginning of that period, ...
    pub from: DateTime<Utc>,
    /// ... and the first moment that is not in it.
    pub until: DateTime<Utc>,
    /// By which it is invoiced.
    pub plan: String,
    /// What the ledger holds of it costs, taxes included.
    pub cents: i64,
    /// The part of it that the plan's list prices do not have: the billing system had other ones.
    pub beside_list_cents: i64,
}

/// What the billing system told.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its `owed_cents` are those of `owed` together.
    pub told: Told,
    /// Beginning of the open period.
    pub period_from: DateTime<Utc>,
    /// The periods before whose invoice has not drawn them, the oldest first.
    pub owed: Vec<Owed>,
    pub rows_from: DateTime<Utc>,
}

/// Keeps what was told; of two answers the one that was asked for later.
///
/// # Errors
/// The database is away.
pub async fn keep(pool: &PgPool, tenant: &str, account: &Account) -> Result<(), StoreError> {
    let Account { told, period_from, owed, rows_from } = account;
    let units = serde_json::to_value(&told.units).map_err(|error| StoreError::corrupt("count of units", error))?;
    let periods = serde_json::to_value(owed).map_err(|error| StoreError::corrupt("period that is owed", error))?;
    // A minute for rows that are written at this moment, as in `asking`.
    sqlx::query!(
        "INSERT INTO credit_accounts AS a (tenant, currency, plan, balance_cents, usage_cents, units, period_from,
                                           owed_cents, owed_from, owed, as_of, rows_from, gathered, gathered_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                 untold_units($1, $11, $12, now() - interval '1 minute'), now() - interval '1 minute')
         ON CONFLICT (tenant) DO UPDATE
            SET currency = EXCLUDED.currency, plan = EXCLUDED.plan, balance_cents = EXCLUDED.balance_cents,
                usage_cents = EXCLUDED.usage_cents, units = EXCLUDED.units, period_from = EXCLUDED.period_from,
                owed_cents = EXCLUDED.owed_cents, owed_from = EXCLUDED.owed_from, owed = EXCLUDED.owed,
                as_of = EXCLUDED.as_of, rows_from = EXCLUDED.rows_from, gathered = EXCLUDED.gathered,
                gathered_until = EXCLUDED.gathered_until
          WHERE a.as_of < EXCLUDED.as_of",
        tenant,
        told.currency,
        told.plan,
        told.balance_cents,
        told.usage_cents,
        units,
        *period_from,
        told.owed_cents,
        owed.first().map(|owed| owed.from),
        periods,
        told.as_of,
        *rows_from
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Adds up what the billing system has not told, for each account that nothing may be admitted beyond and that was told
/// `age_seconds` ago: admissions then read the rows of the last minutes alone, however long the billing system is away and
/// whatever waits for it. Rows that are booked later for an hour that is over are seen by the next time.
///
/// # Errors
/// The database is away.
pub async fn gather(pool: &PgPool, age_seconds: f64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE credit_accounts a
            SET gathered = untold_units(a.tenant, a.as_of, a.rows_from, now() - interval '1 minute'),
                gathered_until = now() - interval '1 minute',
                -- What was booked meanwhile for an hour before is still counted once it is delivered.
                rows_from = least(a.rows_from, (SELECT min(coalesce(u.billed_at, u.occurred_at)) FROM usage_ledger u
                                                 WHERE u.tenant = a.tenant AND u.delivered_at IS NULL
                                                   AND u.dead_reason IS NULL) - interval '1 minute')
           FROM tenants t
          WHERE t.id = a.tenant AND (t.requires_credits OR t.credits_enforced)
            AND a.as_of < clock_timestamp() - make_interval(secs => $1)",
        age_seconds
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// An account as it was told last.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &str) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query!(
        "SELECT currency, plan, balance_cents, usage_cents, units, period_from, owed_cents, owed, as_of, rows_from
           FROM credit_accounts WHERE tenant = $1",
        tenant
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Account {
            told: Told {
                currency: row.currency,
                plan: row.plan,
                balance_cents: row.balance_cents,
                usage_cents: row.usage_cents,
                units: counted(row.units)?,
                owed_cents: row.owed_cents,
                as_of: row.as_of,
            },
            period_from: row.period_from,
            owed: serde_json::from_value(row.owed)
                .map_err(|error| StoreError::corrupt("period that is owed", error))?,
            rows_from: row.rows_from,
        })
    })
    .transpose()
}

/// What a tenant can spend, all as of one moment: what was told of its account, what its ledger holds beyond that, and what
/// its open jobs may still use. `None`: nothing was told yet.
///
/// # Errors
/// The database is away.
pub async fn purse(executor: impl PgExecutor<'_>, tenant: &TenantId) -> Result<Option<Purse>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT a.currency, a.plan, a.balance_cents, a.usage_cents, a.units, a.owed_cents, a.as_of,
                  -- By the index over (tenant, occurred_at): what is older is added up already.
                  (SELECT coalesce(jsonb_object_agg(sums.metric, sums.units), '{}')
                     FROM (SELECT metric, sum(units)::bigint AS units
                             FROM (SELECT older.key AS metric, older.value::bigint AS units
                                     FROM jsonb_each_text(a.gathered) AS older
                                   UNION ALL
                                   SELECT metric, units FROM usage_ledger
                                    WHERE tenant = $1 AND occurred_at >= a.gathered_until AND dead_reason IS NULL
                                      AND coalesce(delivered_at, 'infinity') >= a.as_of) AS untold
                            GROUP BY metric) AS sums) AS "since!",
                  (SELECT count(*) FROM job_reservations WHERE tenant = $1) AS "open_jobs!",
                  -- What a job that waits for the chain has used stands in the ledger.
                  (SELECT coalesce(sum(r.units), 0)::bigint
                     FROM job_reservations r JOIN jobs j ON j.id = r.job_id
                    WHERE r.tenant = $1 AND j.status IN ('PENDING', 'PROCESSING')) AS "reserved!",
                  (SELECT coalesce(sum(r.fhe_units), 0)::bigint
                     FROM job_reservations r JOIN jobs j ON j.id = r.job_id
                    WHERE r.tenant = $1 AND j.status IN ('PENDING', 'PROCESSING')) AS "fhe_reserved!"
             FROM credit_accounts a WHERE a.tenant = $1"#,
        tenant.as_str()
    )
    .fetch_optional(executor)
    .await?;
    row.map(|row| {
        let most = Units { compute: row.reserved.unsigned_abs(), fhe: row.fhe_reserved.unsigned_abs() };
        Ok(Purse {
            told: Told {
                currency: row.currency,
                plan: row.plan,
                balance_cents: row.balance_cents,
                usage_cents: row.usage_cents,
                units: counted(row.units)?,
                owed_cents: row.owed_cents,
                as_of: row.as_of,
            },
            since: counted(row.since)?,
            reserved: Counted::of_open_jobs(row.open_jobs.unsigned_abs(), most),
        })
    })
    .transpose()
}

fn counted(units: serde_json::Value) -> Result<Counted, StoreError> {
    serde_json::from_value(units).map_err(|error| StoreError::corrupt("count of units", error))
}

/// How old an answer may be before it is asked for again, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// Of a tenant of which nothing is admitted beyond its credits.
    pub required: f64,
    /// Of others that have credits.
    pub others: f64,
}

/// Tenants whose account is to be asked for: those that need credits or have asked for some, the oldest answer first, at
/// most `limit`. A closed one that has none is not to get one.
///
/// # Errors
/// The database is away.
pub async fn due(pool: &PgPool, ages: Ages, limit: i64) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT t.id FROM tenants t LEFT JOIN credit_accounts a ON a.tenant = t.id
          WHERE t.sandbox_of IS NULL AND t.billing_ended_at IS NULL
            AND (t.closed_at IS NULL OR t.billing_ready_at IS NOT NULL)
            AND (t.requires_credits OR t.credits_enforced
                 OR EXISTS (SELECT FROM credit_top_ups u WHERE u.tenant = t.id))
            AND (a.as_of IS NULL
                 OR a.as_of < clock_timestamp() - make_interval(
                        secs => CASE WHEN t.requires_credits OR t.credits_enforced THEN $1::double precision ELSE $2::double precision END))
          ORDER BY a.as_of NULLS FIRST, t.id LIMIT $3",
        ages.required,
        ages.others,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}
