//! What tenants may do, by the plan they have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::limits::rules::OwnCeilings;
use store::limits::{AdmissionLimits, Ceilings, Packages};

use super::limits::Rate;
use crate::token::Role;

/// The plan of whoever has none of those that there are.
pub const DEFAULT: &str = "default";

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Limits of a plan; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub requests_per_minute: u32,
    pub requests_per_hour: u32,
    /// Requests at once.
    pub burst: u32,
    /// PENDING and PROCESSING jobs of one user.
    pub active_jobs: ActiveJobs,
    /// CONFIRMING jobs of the tenant.
    pub confirming_jobs: u32,
    pub compute_units: MonthlyUnits,
    pub fhe_units: MonthlyUnits,
}

/// By role; zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActiveJobs {
    pub developer: u32,
    pub team_lead: u32,
    pub admin: u32,
}

/// Units of a month; zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonthlyUnits {
    /// From which on answers warn.
    pub package: u64,
    /// Beyond which nothing is admitted.
    pub ceiling: u64,
}

impl Plan {
    /// The rates that its requests have, the shorter window first.
    pub fn rates(&self) -> impl Iterator<Item = Rate> + use<> {
        let minute = Rate { name: "minute", quota: self.requests_per_minute, window: MINUTE, burst: self.burst };
        // An hour's requests may come as fast as the minute allows.
        let hour = Rate { name: "hour", quota: self.requests_per_hour, window: HOUR, burst: self.requests_per_hour };
        [minute, hour].into_iter().filter(|rate| rate.quota > 0)
    }

    /// What admissions of a user with this role may take.
    #[must_use]
    pub fn admission(&self, role: Role, own: OwnCeilings) -> AdmissionLimits {
        let active = match role {
            Role::Developer => self.active_jobs.developer,
            Role::TeamLead => self.active_jobs.team_lead,
            Role::Admin => self.active_jobs.admin,
        };
        let limit = |count: u32| (count > 0).then_some(count);
        AdmissionLimits {
            active_jobs: limit(active),
            confirming_jobs: limit(self.confirming_jobs),
            units: self.ceilings(own),
            packages: Packages { compute: self.compute_units.package, fhe: self.fhe_units.package },
        }
    }

    /// Units beyond which nothing is admitted, if either kind has such a ceiling.
    #[must_use]
    pub fn ceilings(&self, own: OwnCeilings) -> Option<Ceilings> {
        let ceiling = |units: MonthlyUnits| if units.ceiling == 0 { u64::MAX } else { units.ceiling };
        let plan = Ceilings { compute: ceiling(self.compute_units), fhe: ceiling(self.fhe_units) };
        let least = own.within(plan);
        (least != Ceilings { compute: u64::MAX, fhe: u64::MAX }).then_some(least)
    }
}

/// The plans that there are.
#[derive(Clone, Debug)]
pub struct Plans {
    plans: BTreeMap<String, Arc<Plan>>,
    default: Arc<Plan>,
}

impl Plans {
    /// # Errors
    /// None of them is `default`.
    pub fn new(plans: impl IntoIterator<Item = (String, Plan)>) -> Result<Self, String> {
        let plans: BTreeMap<_, _> = plans.into_iter().map(|(name, plan)| (name, Arc::new(plan))).collect();
        let default = plans.get(DEFAULT).cloned().ok_or_else(|| format!("there is no plan {DEFAULT}"))?;
        Ok(Self { plans, default })
    }

    /// The plan of that name, else `default`: a name that nobody knows is no way around limits.
    #[must_use]
    pub fn of(&self, name: &str) -> Arc<Plan> {
        self.plans.get(name).unwrap_or(&self.default).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> Plan {
        Plan {
            requests_per_minute: 100,
            burst: 20,
            active_jobs: ActiveJobs { developer: 50, team_lead: 200, admin: 0 },
            compute_units: MonthlyUnits { package: 10, ceiling: 20 },
            ..Plan::default()
        }
    }

    #[test]
    fn active_jobs_are_by_role_and_an_admin_has_no_limit() {
        let of = |role| default().admission(role, OwnCeilings::default()).active_jobs;
        assert_eq!([Role::Developer, Role::TeamLead, Role::Admin].map(of), [Some(50), Some(200), None]);
    }

    #[test]
    fn a_plan_without_ceilings_takes_nothing_from_the_database_but_a_tenants_own_counts() {
        let none = Plan::default();
        assert_eq!(none.admission(Role::Developer, OwnCeilings::default()), AdmissionLimits::default());
        let own = OwnCeilings { compute: Some(7), fhe: None };
        assert_eq!(none.ceilings(own), Some(Ceilings { compute: 7, fhe: u64::MAX }));
        assert_eq!(default().ceilings(OwnCeilings::default()), Some(Ceilings { compute: 20, fhe: u64::MAX }));
    }

    #[test]
    fn a_plan_that_nobody_knows_is_the_default() {
        let plans = Plans::new([(DEFAULT.to_owned(), default()), ("free".to_owned(), Plan::default())]);
        let plans = plans.expect("plans");
        assert_eq!((*plans.of("free"), *plans.of("gold")), (Plan::default(), default()));
        assert!(Plans::new([("free".to_owned(), Plan::default())]).is_err());
    }
}
