//! What a submission hears of limits that its admission takes from: that one of them is reached, or its package used up.

use axum::http::HeaderValue;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use jobs::ErrorCode;
use jobs::money::money;
use jobs::usage::Metric;
use store::credits::{Prepaid, Unpaid};
use store::limits::{Limited, MonthUnits};

use crate::ApiState;
use crate::policy::plan::MonthlyUnits;
use crate::policy::problem::Problem;
use crate::policy::tenant_rules::Rules;
use crate::token::Role;

/// Seconds after which another one of the active jobs may have ended.
const ACTIVE_SECONDS: u64 = 5;
/// Seconds after which a chain that was away may have confirmed some jobs.
const CONFIRMING_SECONDS: u64 = 30;

/// What a tenant's money is told in; empty where nothing is billed.
pub(super) fn currency<'a>(state: &'a ApiState, rules: &Rules) -> &'a str {
    state.prices().map_or("", |prices| prices.currency(&rules.plan_name))
}

/// That the tenant's credits must pay for its jobs, if so: where nothing is billed there is nothing to pay before.
pub(super) fn prepaid<'a>(state: &'a ApiState, rules: &Rules) -> Option<Prepaid<'a>> {
    state.prices().filter(|_| rules.credits.is_in_force()).map(|prices| Prepaid { prices })
}

/// Why a job is not admitted now; amounts are told in the `currency`.
pub(super) fn refusal(limited: Limited, role: Role, currency: &str, now: DateTime<Utc>) -> Problem {
    match limited {
        Limited::Active(most) => {
            let detail = format!("{most} jobs are active; a user with the role {role} may have {most}.");
            Problem::new(ErrorCode::TooManyActiveJobs, detail).with_retry_after(ACTIVE_SECONDS)
        }
        Limited::Confirming(most) => {
            let detail = format!("{most} jobs of the tenant wait for the chain; it may have {most}.");
            Problem::new(ErrorCode::TooManyActiveJobs, detail).with_retry_after(CONFIRMING_SECONDS)
        }
        Limited::Units { metric, wanted, left } => {
            let units = if metric == Metric::FheComputeUnits { "FHE units" } else { "compute units" };
            let detail = format!("The job may cost {wanted} {units}; {left} are left under the ceiling of this month.");
            Problem::new(ErrorCode::QuotaExceeded, detail).with_retry_after(until_next_month(now))
        }
        Limited::Credits(Unpaid::Unknown) => {
            let detail = "The tenant's jobs are paid for by credits, of which nothing is known yet.";
            Problem::new(ErrorCode::CreditsExhausted, detail)
        }
        Limited::Credits(Unpaid::Exhausted { available_cents, wanted_cents }) => {
            let (left, wanted) = (money(available_cents, currency), money(wanted_cents, currency));
            let detail = match wanted_cents {
                // It costs parts of a cent, or none; an empty purse pays for nothing.
                ..=0 => format!("{left} of the tenant's credits are left, which pay for no job."),
                _ => format!("The job may cost {wanted}; {left} of the tenant's credits are left."),
            };
            Problem::new(ErrorCode::CreditsExhausted, detail)
        }
    }
}

/// Whole seconds until the next month begins (UTC).
fn until_next_month(now: DateTime<Utc>) -> u64 {
    let (year, month) = if now.month() == 12 { (now.year() + 1, 1) } else { (now.year(), now.month() + 1) };
    let next = NaiveDate::from_ymd_opt(year, month, 1).map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    let seconds = next.map_or(0, |next| (next - now).num_seconds());
    u64::try_from(seconds).unwrap_or_default() + 1
}

/// Which packages are used up, for a header: `compute_units;used=12;package=10;ceiling=20`.
pub(super) fn quota_warning(rules: &Rules, month: MonthUnits) -> Option<HeaderValue> {
    let ceilings = rules.plan.ceilings(rules.ceilings)?;
    let used_up = |metric: Metric, units: MonthlyUnits, used: u64, ceiling: u64| {
        // As soon as the tenant is told by a notification.
        let warn = units.package > 0 && used >= units.package;
        warn.then(|| match ceiling {
            u64::MAX => format!("{metric};used={used};package={}", units.package),
            _ => format!("{metric};used={used};package={};ceiling={ceiling}", units.package),
        })
    };
    let plan = &rules.plan;
    let warnings: Vec<String> = [
        used_up(Metric::ComputeUnits, plan.compute_units, month.compute, ceilings.compute),
        used_up(Metric::FheComputeUnits, plan.fhe_units, month.fhe, ceilings.fhe),
    ]
    .into_iter()
    .flatten()
    .collect();
    if warnings.is_empty() { None } else { HeaderValue::from_str(&warnings.join(", ")).ok() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use store::limits::rules::{CreditRule, OwnCeilings, Signature};

    use super::*;
    use crate::policy::plan::Plan;
    use crate::policy::tenant_rules::Origin;

    #[test]
    fn who_waits_as_long_as_told_is_in_the_next_month() {
        for (now, next) in [("2026-11-30T23:59:59.5Z", "2026-12-01"), ("2026-12-07T00:00:00Z", "2027-01-01")] {
            let now = DateTime::parse_from_rfc3339(now).expect("a time").to_utc();
            let then = now + chrono::TimeDelta::seconds(i64::try_from(until_next_month(now)).expect("a few"));
            assert_eq!(then.date_naive().to_string(), next);
        }
    }

    #[test]
    fn the_pages_show_what_is_said() {
        let now = "2026-03-14T09:26:53.589Z".parse().expect("a time");
        for limited in [
            Limited::Active(50),
            Limited::Units { metric: Metric::ComputeUnits, wanted: 66, left: 12 },
            Limited::Credits(Unpaid::Exhausted { available_cents: 1, wanted_cents: 3 }),
        ] {
            refusal(limited, Role::Developer, "EUR", now).is_the_example_of_its_page();
        }
    }

    #[test]
    fn who_has_nothing_left_is_not_told_of_a_price_of_nothing() {
        let now = "2026-03-14T09:26:53.589Z".parse().expect("a time");
        let unpaid = Limited::Credits(Unpaid::Exhausted { available_cents: 0, wanted_cents: 0 });
        let told = format!("{:?}", refusal(unpaid, Role::Developer, "EUR", now));
        assert!(told.contains("\"0.00 EUR of the tenant's credits are left, which pay for no job.\""), "{told}");
    }

    #[test]
    fn a_warning_names_the_packages_that_are_used_up_from_their_last_unit_on() {
        let plan = Plan {
            compute_units: MonthlyUnits { package: 10, ceiling: 20 },
            fhe_units: MonthlyUnits { package: 5, ceiling: 0 },
            ..Plan::default()
        };
        let rules = Rules {
            plan_name: "gold".to_owned(),
            plan: Arc::new(plan),
            origin: Origin::Anywhere,
            signature: Signature::Optional,
            keys: Vec::new(),
            ceilings: OwnCeilings { compute: Some(15), fhe: None },
            credits: CreditRule::Optional,
            is_closed: false,
        };
        let warning = |compute, fhe| {
            let warning = quota_warning(&rules, MonthUnits { compute, fhe });
            warning.map(|value| value.to_str().expect("text").to_owned())
        };
        assert_eq!(warning(9, 4), None);
        assert_eq!(warning(10, 4).as_deref(), Some("compute_units;used=10;package=10;ceiling=15"));
        assert_eq!(warning(9, 5).as_deref(), Some("fhe_compute_units;used=5;package=5"));
        let both = "compute_units;used=12;package=10;ceiling=15, fhe_compute_units;used=6;package=5";
        assert_eq!(warning(12, 6).as_deref(), Some(both));
    }
}
