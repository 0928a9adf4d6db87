//! What a tenant asks of its own requests, and its plan.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::PgPool;
use uuid::Uuid;

use super::Ceilings;
use crate::audit::Note;
use crate::{StoreError, begin};

/// A tenant's rules, as they stand in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRules {
    pub tenant: TenantId,
    pub plan: String,
    /// CIDR; empty is everywhere.
    pub allowed_networks: Vec<String>,
    pub signature: Signature,
    /// Keys in force.
    pub keys: Vec<Uuid>,
    /// Its own ceilings where it has any.
    pub ceilings: OwnCeilings,
    /// Whether credits must pay for its jobs. A sandbox is free.
    pub credits: CreditRule,
    /// Nobody acts in it any more.
    pub is_closed: bool,
}

/// Whether requests must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    Required,
    /// Checked where there is one.
    Optional,
}

/// Whether nothing is admitted beyond what was paid before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditRule {
    Optional,
    /// As the tenant's admins want it.
    Required,
    /// As the operator wants it.
    Enforced,
}

impl CreditRule {
    pub(crate) fn of_columns(requires: bool, enforced: bool) -> Self {
        match (requires, enforced) {
            (_, true) => Self::Enforced,
            (true, false) => Self::Required,
            (false, false) => Self::Optional,
        }
    }

    /// Whoever wants it.
    #[must_use]
    pub fn is_in_force(self) -> bool {
        self != Self::Optional
    }
}

/// Ceilings that a tenant set for itself; `None` is its plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCeilings {
    pub compute: Option<u64>,
    pub fhe: Option<u64>,
}

impl OwnCeilings {
    /// The lower one counts: a tenant cannot raise its plan's.
    #[must_use]
    pub fn within(self, plan: Ceilings) -> Ceilings {
        Ceilings {
            compute: self.compute.map_or(plan.compute, |own| own.min(plan.compute)),
            fhe: self.fhe.map_or(plan.fhe, |own| own.min(plan.fhe)),
        }
    }
}

/// A change of a tenant's rules; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub plan: Option<String>,
    pub allowed_networks: Option<Vec<String>>,
    pub signature: Option<Signature>,
    /// `Some(None)` takes the plan's.
    pub compute_ceiling: Option<Option<u64>>,
    pub fhe_ceiling: Option<Option<u64>>,
    /// Whether the operator wants nothing admitted beyond the tenant's credits.
    pub credits_enforced: Option<bool>,
}

/// The rules of those of these tenants that there are. A sandbox has its tenant's: a test key is no way around them.
///
/// # Errors
/// The database is away.
pub async fn of(pool: &PgPool, tenants: &[String]) -> Result<Vec<TenantRules>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT t.id, o.plan, o.allowed_networks, o.signature_required, o.unit_ceiling, o.fhe_unit_ceiling,
                  o.closed_at IS NOT NULL AS "is_closed!",
                  (o.requires_credits AND t.sandbox_of IS NULL) AS "requires_credits!",
                  (o.credits_enforced AND t.sandbox_of IS NULL) AS "credits_enforced!",
                  ARRAY(SELECT k.id FROM request_keys k
                         WHERE k.tenant = o.id AND (k.expires_at IS NULL OR k.expires_at > now())
                         ORDER BY k.created_at) AS "keys!"
             FROM tenants t JOIN tenants o ON o.id = coalesce(t.sandbox_of, t.id)
            WHERE t.id = ANY($1)"#,
        tenants
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(TenantRules {
                tenant: row.id.parse().map_err(|_| StoreError::corrupt("tenant", &row.id))?,
                plan: row.plan,
                allowed_networks: row.allowed_networks,
                signature: if row.signature_required { Signature::Required } else { Signature::Optional },
                keys: row.keys,
                ceilings: OwnCeilings { compute: units(row.unit_ceiling), fhe: units(row.fhe_unit_ceiling) },
                credits: CreditRule::of_columns(row.requires_credits, row.credits_enforced),
                is_closed: row.is_closed,
            })
        })
        .collect()
}

/// Changes a tenant's rules, which are its sandbox's too; `false` when there is no such tenant, or it is closed: it would be
/// invoiced by another plan at its end.
///
/// # Errors
/// The database is away.
pub async fn change(pool: &PgPool, tenant: &TenantId, change: &Change, audit: &Note) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query!(
        "UPDATE tenants SET plan = coalesce($2, plan), allowed_networks = coalesce($3, allowed_networks),
                            signature_required = coalesce($4, signature_required),
                            unit_ceiling = CASE WHEN $5 THEN $6 ELSE unit_ceiling END,
                            fhe_unit_ceiling = CASE WHEN $7 THEN $8 ELSE fhe_unit_ceiling END,
                            credits_enforced = coalesce($9, credits_enforced)
          WHERE id = $1 AND sandbox_of IS NULL AND closed_at IS NULL",
        tenant.as_str(),
        change.plan.as_deref(),
        change.allowed_networks.as_deref(),
        change.signature.map(|signature| signature == Signature::Required),
        change.compute_ceiling.is_some(),
        change.compute_ceiling.flatten().map(column),
        change.fhe_ceiling.is_some(),
        change.fhe_ceiling.flatten().map(column),
        change.credits_enforced
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

/// Makes a key. Those before it are in force until `others_until`, where one is given.
///
/// # Errors
/// The database is away, or there is no such tenant.
pub async fn new_key(
    pool: &PgPool,
    tenant: &TenantId,
    others_until: Option<DateTime<Utc>>,
    audit: &Note,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    let mut tx = begin(pool).await?;
    sqlx::query!(
        "WITH others AS (
             UPDATE request_keys SET expires_at = least(coalesce(expires_at, $3), $3)
              WHERE tenant = $1 AND $3::timestamptz IS NOT NULL)
         INSERT INTO request_keys (tenant, id) VALUES ($1, $2)",
        tenant.as_str(),
        id,
        others_until
    )
    .execute(&mut *tx)
    .await?;
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(id)
}

fn units(column: Option<i64>) -> Option<u64> {
    column.and_then(|units| u64::try_from(units).ok())
}

fn column(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_lowers_its_plans_ceilings_and_never_raises_them() {
        let plan = Ceilings { compute: 100, fhe: 50 };
        assert_eq!(OwnCeilings::default().within(plan), plan);
        let own = OwnCeilings { compute: Some(30), fhe: Some(70) };
        assert_eq!(own.within(plan), Ceilings { compute: 30, fhe: 50 });
    }
}
