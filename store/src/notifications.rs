//! What a tenant is told of its month: that 80 % or all of a package or a ceiling is used and reserved. Written by the
//! admission that crosses the line, each line once a month.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use jobs::TenantId;
use jobs::usage::{Metric, Units};
use sqlx::{PgConnection, PgPool};

use crate::StoreError;
use crate::limits::{AdmissionLimits, MonthUnits, held_in};

/// Of a quota: the parts at which its tenant is told.
const PERCENTS: [u8; 2] = [80, 100];

/// Admissions that may be under way at once and do not see each other.
const AT_ONCE: u64 = 64;

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// From which on accepted jobs warn.
    Package,
    /// Beyond which nothing is admitted.
    Ceiling,
}

impl Quota {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Ceiling => "ceiling",
        }
    }
}

/// A part of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    metric: Metric,
    quota: Quota,
    percent: u8,
    /// The whole quota.
    units: u64,
}

/// As it stands among those that were told.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.metric, self.quota.as_str(), self.percent)
    }
}

impl Line {
    /// The first count that is on it, in whole units.
    fn begins_at(&self) -> u64 {
        let part = u128::from(self.units) * u128::from(self.percent);
        u64::try_from(part.div_ceil(100)).unwrap_or(u64::MAX)
    }

    fn held(&self, month: MonthUnits) -> u64 {
        if self.metric == Metric::FheComputeUnits { month.fhe } else { month.compute }
    }

    fn is_reached(&self, month: MonthUnits) -> bool {
        self.held(month) >= self.begins_at()
    }

    /// Whether this admission and others like it, which it does not see, may reach it together.
    fn is_near(&self, month: MonthUnits, wanted: Units) -> bool {
        let own = if self.metric == Metric::FheComputeUnits { wanted.fhe } else { wanted.compute };
        own > 0
            && !self.is_reached(month)
            && self.held(month).saturating_add(own.saturating_mul(AT_ONCE)) >= self.begins_at()
    }
}

/// The lines that there are where these limits hold.
fn lines(limits: &AdmissionLimits) -> Vec<Line> {
    let Some(ceilings) = limits.units else { return Vec::new() };
    let quotas = [
        (Metric::ComputeUnits, Quota::Package, limits.packages.compute),
        (Metric::ComputeUnits, Quota::Ceiling, ceilings.compute),
        (Metric::FheComputeUnits, Quota::Package, limits.packages.fhe),
        (Metric::FheComputeUnits, Quota::Ceiling, ceilings.fhe),
    ];
    let there = quotas.into_iter().filter(|(_, _, units)| (1..u64::MAX).contains(units));
    there.flat_map(|(metric, quota, units)| PERCENTS.map(|percent| Line { metric, quota, percent, units })).collect()
}

/// What an admission took of a month.
pub(crate) struct Admitted<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) limits: &'a AdmissionLimits,
    pub(crate) wanted: Units,
    pub(crate) month: NaiveDate,
    /// With what it took itself.
    pub(crate) held: MonthUnits,
    /// Lines that the tenant was told of.
    pub(crate) told: &'a [String],
}

/// Tells the tenant of the lines that it has reached with an admission, in that one's transaction. Admissions that are so near
/// to a line that they may cross it together go one after the other, so that the one that crosses it sees that.
///
/// # Errors
/// The database is away.
pub(crate) async fn cross(tx: &mut PgConnection, admitted: &Admitted<'_>) -> Result<(), StoreError> {
    let Admitted { tenant, limits, wanted, month, told, .. } = *admitted;
    let mut lines = lines(limits);
    lines.retain(|line| !told.contains(&line.to_string()));
    let mut held = admitted.held;
    if lines.iter().any(|line| line.is_near(held, wanted)) {
        sqlx::query_scalar!(
            r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended($1, 0))"#,
            format!("notifications/{tenant}/{month}")
        )
        .fetch_one(&mut *tx)
        .await?;
        // Its own statement: those that were waited for are seen.
        held = held_in(&mut *tx, tenant, month).await?;
    }
    for line in lines.iter().filter(|line| line.is_reached(held)) {
        tell(tx, admitted, line, held).await?;
    }
    Ok(())
}

async fn tell(tx: &mut PgConnection, admitted: &Admitted<'_>, line: &Line, held: MonthUnits) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO notifications (tenant, kind, month, metric, quota, percent, quota_units, held_units)
         VALUES ($1, 'quota.reached', $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        admitted.tenant.as_str(),
        admitted.month,
        line.metric.as_str(),
        line.quota.as_str(),
        i32::from(line.percent),
        i64::try_from(line.units).unwrap_or(i64::MAX),
        i64::try_from(line.held(held)).unwrap_or(i64::MAX)
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// That a tenant has reached a part of a quota.
#[derive(Clone, Debug)]
pub struct Notification {
    pub id: i64,
    pub created_at: DateTime<Utc>,
    /// First day of the month.
    pub month: NaiveDate,
    pub metric: String,
    /// "package" or "ceiling".
    pub quota: String,
    pub percent: i32,
    /// Units of the whole quota.
    pub quota_units: i64,
    /// What was used and reserved then.
    pub held_units: i64,
}

/// A tenant's notifications, the newest first, at most `limit`, or those before the one with this id.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    tenant: &TenantId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Notification>, StoreError> {
    let found = sqlx::query_as!(
        Notification,
        "SELECT id, created_at, month, metric, quota, percent, quota_units, held_units FROM notifications
          WHERE tenant = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        tenant.as_str(),
        before,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// The lines that a tenant has reached in a month, in that order.
///
/// # Errors
/// The database is away.
pub async fn of_month(pool: &PgPool, tenant: &TenantId, month: NaiveDate) -> Result<Vec<Notification>, StoreError> {
    let found = sqlx::query_as!(
        Notification,
        "SELECT id, created_at, month, metric, quota, percent, quota_units, held_units FROM notifications
          WHERE tenant = $1 AND month = $2 ORDER BY id",
        tenant.as_str(),
        month
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Ceilings, Packages};

    fn limits(package: u64, ceiling: u64) -> AdmissionLimits {
        AdmissionLimits {
            units: Some(Ceilings { compute: ceiling, fhe: u64::MAX }),
            packages: Packages { compute: package, fhe: 0 },
            ..AdmissionLimits::default()
        }
    }

    fn month(compute: u64) -> MonthUnits {
        MonthUnits { compute, fhe: 0 }
    }

    #[test]
    fn there_is_a_line_at_eighty_and_at_a_hundred_percent_of_what_there_is() {
        let told = |limits: &AdmissionLimits| lines(limits).iter().map(ToString::to_string).collect::<Vec<_>>();
        let all =
            ["package/80", "package/100", "ceiling/80", "ceiling/100"].map(|line| format!("compute_units/{line}"));
        assert_eq!(told(&limits(10, 20)), all);
        assert_eq!(told(&limits(0, 20)), all[2..]);
        assert_eq!(told(&limits(10, u64::MAX)), all[..2]);
        assert_eq!(told(&AdmissionLimits::default()), Vec::<String>::new(), "nothing is counted");
    }

    #[test]
    fn a_line_is_reached_by_whole_units() {
        let eighty = |units| Line { metric: Metric::ComputeUnits, quota: Quota::Package, percent: 80, units };
        for (units, first) in [(10, 8), (11, 9), (1, 1), (1_000_001, 800_001)] {
            let line = eighty(units);
            assert!(line.is_reached(month(first)) && !line.is_reached(month(first - 1)), "{units}");
        }
        assert!(!eighty(u64::MAX - 1).is_reached(month(1 << 56)));
    }

    #[test]
    fn an_admission_is_near_a_line_that_it_can_cross_with_others() {
        let line = Line { metric: Metric::ComputeUnits, quota: Quota::Package, percent: 100, units: 1000 };
        let two = Units::plain(2);
        assert!(!line.is_near(month(871), two), "128 more are 999");
        assert!(line.is_near(month(872), two) && line.is_near(month(999), two));
        assert!(!line.is_near(month(1000), two), "it is reached");
        assert!(!line.is_near(month(999), Units { compute: 0, fhe: 9 }), "it takes nothing of it");
    }
}
