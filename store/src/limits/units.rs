//! The units of a month, used and reserved: taken in admission, given back by the transaction that ends the job (a trigger
//! on its reservation). See `migrations/0032_unit_quotas.sql` for how tenants' admissions keep out of each other's way.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use jobs::TenantId;
use jobs::usage::{Metric, Units};
use sqlx::{PgConnection, PgExecutor};

use super::{Ceilings, Limited};
use crate::StoreError;

/// What a tenant holds of a month: used and reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthUnits {
    /// [`Metric::ComputeUnits`]
    pub compute: u64,
    /// [`Metric::FheComputeUnits`]
    pub fhe: u64,
}

/// What became of a wish for units.
pub(crate) enum Taken {
    /// They are the job's, and count in this month.
    Yes {
        month: NaiveDate,
        held: MonthUnits,
        /// Lines that the tenant was told of.
        told: Vec<String>,
    },
    No(Limited),
}

/// Takes the most that a job can cost.
///
/// # Errors
/// The database is away.
pub(crate) async fn take(
    tx: &mut PgConnection,
    tenant: &TenantId,
    at: DateTime<Utc>,
    wanted: Units,
    ceilings: Ceilings,
) -> Result<Taken, StoreError> {
    let month = month_of(at);
    let row = sqlx::query!(
        r#"SELECT taken AS "taken!", held AS "held!", fhe_held AS "fhe_held!",
                  ARRAY(SELECT n.metric || '/' || n.quota || '/' || n.percent FROM notifications n
                         WHERE n.tenant = $1 AND n.month = $2) AS "told!"
             FROM take_units($1, $2, $3, $4, $5, $6)"#,
        tenant.as_str(),
        month,
        column(wanted.compute),
        column(wanted.fhe),
        column(ceilings.compute),
        column(ceilings.fhe)
    )
    .fetch_one(tx)
    .await?;
    let held = MonthUnits { compute: count(row.held), fhe: count(row.fhe_held) };
    if row.taken {
        return Ok(Taken::Yes { month, held, told: row.told });
    }
    Ok(Taken::No(shortage(wanted, held, ceilings)))
}

/// Which limit a job would meet with what its tenant holds now, if any.
pub(crate) fn beyond(wanted: Units, held: MonthUnits, ceilings: Ceilings) -> Option<Limited> {
    let limited = shortage(wanted, held, ceilings);
    let Limited::Units { wanted, left, .. } = limited else { return Some(limited) };
    (wanted > left).then_some(limited)
}

/// What a job that is not admitted is told: the first kind of units that does not hold it.
fn shortage(wanted: Units, held: MonthUnits, ceilings: Ceilings) -> Limited {
    let left = ceilings.compute.saturating_sub(held.compute);
    if wanted.compute > left {
        return Limited::Units { metric: Metric::ComputeUnits, wanted: wanted.compute, left };
    }
    let left = ceilings.fhe.saturating_sub(held.fhe);
    Limited::Units { metric: Metric::FheComputeUnits, wanted: wanted.fhe, left }
}

/// What a tenant holds of the month of a time.
///
/// # Errors
/// The database is away.
pub async fn held(
    database: impl PgExecutor<'_>,
    tenant: &TenantId,
    at: DateTime<Utc>,
) -> Result<MonthUnits, StoreError> {
    held_in(database, tenant, month_of(at)).await
}

/// What a tenant holds of a month.
pub(crate) async fn held_in(
    database: impl PgExecutor<'_>,
    tenant: &TenantId,
    month: NaiveDate,
) -> Result<MonthUnits, StoreError> {
    let row = sqlx::query!(
        r#"SELECT held AS "held!", fhe_held AS "fhe_held!" FROM held_units($1, $2)"#,
        tenant.as_str(),
        month
    )
    .fetch_one(database)
    .await?;
    Ok(MonthUnits { compute: count(row.held), fhe: count(row.fhe_held) })
}

/// The month (UTC) of a time, as its first day.
#[must_use]
pub fn month_of(at: DateTime<Utc>) -> NaiveDate {
    at.date_naive().with_day(1).unwrap_or_else(|| at.date_naive())
}

/// The most that the database is asked to add up: far from what a bigint holds, and from what anybody uses.
const MOST: u64 = 1 << 56;

fn column(units: u64) -> i64 {
    i64::try_from(units.min(MOST)).unwrap_or(i64::MAX)
}

fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_its_first_day_in_utc() {
        let at = |text: &str| month_of(DateTime::parse_from_rfc3339(text).expect("a time").to_utc()).to_string();
        assert_eq!(at("2026-11-30T23:59:59.999Z"), "2026-11-01");
        assert_eq!(at("2026-12-01T00:30:00+01:00"), "2026-11-01");
        assert_eq!(at("2024-02-29T12:00:00Z"), "2024-02-01");
    }

    #[test]
    fn the_first_kind_of_units_that_does_not_hold_a_job_is_told() {
        let (held, ceilings) = (MonthUnits { compute: 8, fhe: 3 }, Ceilings { compute: 10, fhe: 4 });
        let beyond = |compute, fhe| beyond(Units { compute, fhe }, held, ceilings);
        assert_eq!(beyond(2, 1), None, "to the last unit");
        let short = |metric, wanted, left| Some(Limited::Units { metric, wanted, left });
        assert_eq!(beyond(3, 9), short(Metric::ComputeUnits, 3, 2));
        assert_eq!(beyond(0, 2), short(Metric::FheComputeUnits, 2, 1));
    }

    #[test]
    fn no_ceiling_is_too_high_for_the_database() {
        assert_eq!(column(u64::MAX), 1 << 56);
        assert_eq!((column(7), count(-3)), (7, 0));
    }
}
