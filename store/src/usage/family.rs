//! A row of use and all rows that correct it, directly: together they say what was used.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::TEST_MODE;
use crate::StoreError;

/// A row, as far as corrections look at it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub id: String,
    pub units: i64,
    pub voided: bool,
    pub dead_reason: Option<String>,
    pub reason: Option<String>,
}

impl Member {
    /// The billing system refused it, and nobody has decided what becomes of it.
    pub(super) fn is_dead_letter(&self) -> bool {
        !self.voided && self.dead_reason.as_deref().is_some_and(|reason| reason != TEST_MODE)
    }

    /// It is billed, or will be.
    pub(super) fn counts(&self) -> bool {
        !self.voided && self.dead_reason.is_none()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Family {
    pub tenant: String,
    pub job_id: Option<Uuid>,
    pub metric: String,
    segment: String,
    root: Member,
    corrections: Vec<Member>,
}

impl Family {
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.root).chain(&self.corrections)
    }

    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members().find(|member| member.id == id)
    }

    /// The row that says what was used: the row of use, or the one that it was booked anew as. `None` when it was written
    /// off.
    pub(super) fn standing(&self) -> Option<&Member> {
        if !self.root.voided {
            return Some(&self.root);
        }
        // Booked anew under the reason for which one before was taken back; a correction of its own has another one, or
        // other units.
        let follows = |row: &Member| self.members().any(|before| before.voided && before.dead_reason == row.reason);
        self.corrections.iter().find(|row| !row.voided && row.units == self.root.units && follows(row))
    }

    /// What all of them amount to.
    pub(super) fn amounts(&self) -> i64 {
        self.members().fold(0, |sum, member| sum.saturating_add(member.units))
    }

    /// The number of the next correction.
    pub(super) fn next(&self) -> i64 {
        i64::try_from(self.corrections.len()).unwrap_or(i64::MAX).saturating_add(1)
    }

    fn id(&self, number: i64) -> String {
        format!("{}.{number}", self.root.id)
    }
}

/// The family of a row, which nobody else corrects meanwhile.
pub(super) async fn locked(tx: &mut Transaction<'static, Postgres>, id: &str) -> Result<Option<Family>, StoreError> {
    let root = sqlx::query_scalar!(r#"SELECT coalesce(corrects, id) AS "root!" FROM usage_ledger WHERE id = $1"#, id);
    let Some(root) = root.fetch_optional(&mut **tx).await? else { return Ok(None) };
    // Its own statement: what the locks were waited for is seen by the next one.
    sqlx::query_scalar!("SELECT id FROM usage_ledger WHERE id = $1 OR corrects = $1 ORDER BY id FOR UPDATE", root)
        .fetch_all(&mut **tx)
        .await?;
    let rows = sqlx::query!(
        "SELECT id, tenant, job_id, metric, segment, units, voided, dead_reason, reason
           FROM usage_ledger WHERE id = $1 OR corrects = $1 ORDER BY id <> $1, id",
        root
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut family: Option<Family> = None;
    for row in rows {
        let member = Member {
            id: row.id,
            units: row.units,
            voided: row.voided,
            dead_reason: row.dead_reason,
            reason: row.reason,
        };
        match &mut family {
            Some(family) => family.corrections.push(member),
            None => {
                family = Some(Family {
                    tenant: row.tenant,
                    job_id: row.job_id,
                    metric: row.metric,
                    segment: row.segment,
                    root: member,
                    corrections: Vec::new(),
                });
            }
        }
    }
    Ok(family)
}

/// Books units more or less, due as of now. Answers the id of the new row.
pub(super) async fn add(
    tx: &mut Transaction<'static, Postgres>,
    family: &Family,
    number: i64,
    units: i64,
    reason: &str,
) -> Result<String, StoreError> {
    let id = family.id(number);
    sqlx::query!(
        "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at, reason, corrects)
         VALUES ($1, $2, $3, $4, $5, $6, now(), $7, $8)",
        id,
        family.tenant,
        family.job_id,
        family.metric,
        format!("{}.{number}", family.segment),
        units,
        reason,
        family.root.id
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// What follows a row that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is billed by nothing.
    Nothing,
    /// It is due again, as of the same moment.
    Anew,
}

/// Books the row that takes back another one, which is voided by now, and is billed as little as it; and what follows it.
pub(super) async fn take_back(
    tx: &mut Transaction<'static, Postgres>,
    family: &Family,
    row: &Member,
    number: i64,
    reason: &str,
    then: Then,
) -> Result<(), StoreError> {
    // Their names are the row of use's with a number, whichever row of the family is taken back.
    sqlx::query!(
        "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at, reason, corrects, voided,
                                   dead_reason, gas, gas_tx_hash)
         SELECT $3::text || '.' || n.number, tenant, job_id, metric, $4::text || '.' || n.number, n.units, occurred_at, $2,
                $3::text, n.back, CASE WHEN n.back THEN $2 END, CASE WHEN n.back THEN -gas ELSE gas END, gas_tx_hash
           FROM usage_ledger u
          CROSS JOIN (VALUES ($5::bigint, -$6::bigint, true), ($5 + 1, $6, false)) AS n (number, units, back)
          WHERE u.id = $1 AND (n.back OR $7)",
        row.id,
        reason,
        family.root.id,
        family.segment,
        number,
        row.units,
        then == Then::Anew
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Units of the family's metric that its tenant is billed for in the open period, as the ledger knows by now; nobody else
/// takes some of them back meanwhile.
pub(super) async fn open_units(
    tx: &mut Transaction<'static, Postgres>,
    family: &Family,
    open_from: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let lock = format!("usage/corrections/{}/{}", family.tenant, family.metric);
    sqlx::query_scalar!(r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended($1, 0))"#, lock)
        .fetch_one(&mut **tx)
        .await?;
    // A row whose time was fixed before, and whose delivery is not certain, may still be booked anew: what would take
    // something back counts, and what would add to it does not.
    let units = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(CASE WHEN billed_at < $3 THEN least(units, 0) ELSE units END), 0)::bigint AS "units!"
             FROM usage_ledger
            WHERE tenant = $1 AND metric = $2 AND dead_reason IS NULL AND NOT voided
              AND (billed_at >= $3 OR delivered_at IS NULL)"#,
        family.tenant,
        family.metric,
        open_from
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(units)
}
