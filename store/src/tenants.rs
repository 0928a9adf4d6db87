//! Tenants: their plan, and what is set for them. Their users: [`crate::users`].

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use crate::audit::Note;
use crate::limits::rules::CreditRule;
use crate::usage::periods::Span;
use crate::{StoreError, begin};

/// A tenant as operators and billing see it.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub plan: String,
    pub created_at: DateTime<Utc>,
    pub billing_ready: bool,
    pub failed_jobs: FailedJobs,
    /// Whether credits must pay for its jobs.
    pub credits: CreditRule,
    /// A sandbox is free: billing never hears of it.
    pub is_sandbox: bool,
    /// From when on nobody acts in it any more.
    pub closed_at: Option<DateTime<Utc>>,
    /// When its subscription was terminated, or there was none to be.
    pub billing_ended_at: Option<DateTime<Utc>>,
}

struct Row {
    id: String,
    plan: String,
    created_at: DateTime<Utc>,
    billing_ready: bool,
    confirm_failed: bool,
    requires_credits: bool,
    credits_enforced: bool,
    is_sandbox: bool,
    closed_at: Option<DateTime<Utc>>,
    billing_ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Tenant {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| StoreError::corrupt("tenant", &row.id))?,
            plan: row.plan,
            created_at: row.created_at,
            billing_ready: row.billing_ready,
            failed_jobs: FailedJobs::of_column(row.confirm_failed),
            credits: CreditRule::of_columns(row.requires_credits, row.credits_enforced),
            is_sandbox: row.is_sandbox,
            closed_at: row.closed_at,
            billing_ended_at: row.billing_ended_at,
        })
    }
}

/// Creates a tenant if it does not exist; tells whether it did so.
///
/// # Errors
/// The database is away.
pub async fn ensure_tenant(pool: &PgPool, tenant: &TenantId, plan: &str) -> Result<bool, StoreError> {
    let made =
        sqlx::query!("INSERT INTO tenants (id, plan) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant.as_str(), plan)
            .execute(pool)
            .await?;
    Ok(made.rows_affected() == 1)
}

/// Creates a tenant if it does not exist, for an operator, and tells whether it did so.
///
/// # Errors
/// The database is away.
pub async fn create(pool: &PgPool, tenant: &TenantId, plan: &str, audit: &Note) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let made =
        sqlx::query!("INSERT INTO tenants (id, plan) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant.as_str(), plan)
            .execute(&mut *tx)
            .await?;
    let is_new = made.rows_affected() == 1;
    if is_new {
        audit.write(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(is_new)
}

/// For development: creates a user with an address, or raises the role of the one that exists, whose address stays
/// if it has one. A role is never lowered, so that a token of less takes nothing from the user's keys. In a closed tenant
/// nothing is done.
///
/// # Errors
/// The database is away.
pub async fn ensure_user(
    pool: &PgPool,
    tenant: &TenantId,
    user: &UserId,
    role: &str,
    submitter: [u8; 20],
) -> Result<(), StoreError> {
    sqlx::query!(
        // One at a time in a tenant: `ON CONFLICT` waits at its own index alone, not at that of the addresses.
        "WITH tenant AS (SELECT id FROM tenants WHERE id = $1 AND closed_at IS NULL FOR NO KEY UPDATE)
         INSERT INTO users (tenant, id, role, submitter) SELECT id, $2, $3, $4 FROM tenant
         ON CONFLICT (tenant, id) DO UPDATE
            SET submitter = coalesce(users.submitter, EXCLUDED.submitter),
                role = CASE WHEN array_position(ARRAY['developer', 'team_lead', 'admin'], EXCLUDED.role)
                                 > array_position(ARRAY['developer', 'team_lead', 'admin'], users.role)
                            THEN EXCLUDED.role ELSE users.role END",
        tenant.as_str(),
        user.as_str(),
        role,
        &submitter[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// All tenants by name, without their sandboxes.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool) -> Result<Vec<Tenant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, plan, created_at, billing_ready_at IS NOT NULL AS "billing_ready!", confirm_failed,
                  requires_credits, credits_enforced, false AS "is_sandbox!", closed_at, billing_ended_at
             FROM tenants WHERE sandbox_of IS NULL ORDER BY id"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Tenants by name, behind `after`, of whose books there may be something to compare within a span. Left out is whose
/// subscription ended before it, unless it is one of those that are `subscribed` all the same, or the ledger has a row of it
/// that was used or is billed within the span, or that still waits.
///
/// # Errors
/// The database is away.
pub async fn to_compare(
    pool: &PgPool,
    span: Span,
    after: Option<&str>,
    subscribed: &[String],
) -> Result<Vec<Tenant>, StoreError> {
    // Each of the three looks at the ledger is a look into an index of its own.
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, plan, created_at, billing_ready_at IS NOT NULL AS "billing_ready!", confirm_failed,
                  requires_credits, credits_enforced, false AS "is_sandbox!", closed_at, billing_ended_at
             FROM tenants t
            WHERE sandbox_of IS NULL AND ($3::text IS NULL OR id > $3)
              AND (billing_ended_at IS NULL OR billing_ended_at >= $1 OR id = ANY($4)
                   OR EXISTS (SELECT FROM usage_ledger u
                               WHERE u.tenant = t.id AND u.billed_at >= $1 AND u.billed_at < $2)
                   OR EXISTS (SELECT FROM usage_ledger u
                               WHERE u.tenant = t.id AND u.occurred_at >= $1 AND u.occurred_at < $2)
                   OR EXISTS (SELECT FROM usage_ledger u
                               WHERE u.tenant = t.id AND u.delivered_at IS NULL AND u.dead_reason IS NULL))
            ORDER BY id"#,
        span.from,
        span.until,
        after,
        subscribed
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Reads a tenant, or a sandbox, which is on its tenant's plan.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &str) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT t.id, o.plan, t.created_at, t.billing_ready_at IS NOT NULL AS "billing_ready!", t.confirm_failed,
                  (o.requires_credits AND t.sandbox_of IS NULL) AS "requires_credits!",
                  (o.credits_enforced AND t.sandbox_of IS NULL) AS "credits_enforced!",
                  t.sandbox_of IS NOT NULL AS "is_sandbox!", o.closed_at, t.billing_ended_at
             FROM tenants t JOIN tenants o ON o.id = coalesce(t.sandbox_of, t.id) WHERE t.id = $1"#,
        tenant
    )
    .fetch_optional(pool)
    .await?;
    row.map(Tenant::try_from).transpose()
}

/// What becomes of a tenant's failed jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedJobs {
    /// They are confirmed on chain, as failed.
    Confirmed,
    /// They are not.
    LeftOut,
}

impl FailedJobs {
    fn of_column(confirm: bool) -> Self {
        if confirm { Self::Confirmed } else { Self::LeftOut }
    }
}

/// What becomes of a tenant's failed jobs; `None` of a tenant that there is not.
///
/// # Errors
/// The database is away.
pub async fn failed_jobs(pool: &PgPool, tenant: &TenantId) -> Result<Option<FailedJobs>, StoreError> {
    let confirm = sqlx::query_scalar!("SELECT confirm_failed FROM tenants WHERE id = $1", tenant.as_str())
        .fetch_optional(pool)
        .await?;
    Ok(confirm.map(FailedJobs::of_column))
}

/// What a tenant's admins change of its settings; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    pub failed_jobs: Option<FailedJobs>,
    /// Whether credits must pay for its jobs, as far as the admins decide that.
    pub requires_credits: Option<bool>,
}

/// Changes a tenant's settings; `false` when there is no such tenant.
///
/// # Errors
/// The database is away.
pub async fn change_settings(
    pool: &PgPool,
    tenant: &TenantId,
    change: SettingsChange,
    audit: &Note,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query!(
        "UPDATE tenants SET confirm_failed = coalesce($2, confirm_failed),
                            requires_credits = coalesce($3, requires_credits)
          WHERE id = $1",
        tenant.as_str(),
        change.failed_jobs.map(|failed| failed == FailedJobs::Confirmed),
        change.requires_credits
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Sets what becomes of the jobs that fail from now on; returns what it was before, `None` of a tenant that there is not.
///
/// # Errors
/// The database is away.
pub async fn set_failed_jobs(
    pool: &PgPool,
    tenant: &TenantId,
    failed: FailedJobs,
    audit: &Note,
) -> Result<Option<FailedJobs>, StoreError> {
    let mut tx = begin(pool).await?;
    let before = sqlx::query_scalar!(
        r#"WITH before AS (SELECT id, confirm_failed FROM tenants WHERE id = $1 FOR UPDATE)
           UPDATE tenants t SET confirm_failed = $2 FROM before b WHERE t.id = b.id
           RETURNING b.confirm_failed AS "before!""#,
        tenant.as_str(),
        failed == FailedJobs::Confirmed
    )
    .fetch_optional(&mut *tx)
    .await?;
    if before.is_some() {
        audit.write(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(before.map(FailedJobs::of_column))
}
