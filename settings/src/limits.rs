//! What tenants may do, by plan.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub plans: BTreeMap<String, Plan>,
}

/// In all of them 0 is no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub requests_per_minute: u32,
    pub requests_per_hour: u32,
    pub burst: u32,
    pub active_jobs_developer: u32,
    pub active_jobs_team_lead: u32,
    pub active_jobs_admin: u32,
    pub confirming_jobs: u32,
    pub compute_units_package: u64,
    pub compute_units_ceiling: u64,
    pub fhe_units_package: u64,
    pub fhe_units_ceiling: u64,
}

/// Names what fits together in no way.
pub(crate) fn check(limits: &Limits) -> Result<()> {
    for (name, plan) in &limits.plans {
        let at = |key: &str| format!("limits.plans.{name}.{key}");
        let limited = plan.requests_per_minute > 0;
        ensure!(!limited || plan.burst > 0, "{} must be 1 or more where requests have a limit", at("burst"));
        ensure!(!limited || plan.burst <= plan.requests_per_minute, "{} is more than a minute's requests", at("burst"));
        let units = [
            ("compute_units_package", plan.compute_units_package, plan.compute_units_ceiling),
            ("fhe_units_package", plan.fhe_units_package, plan.fhe_units_ceiling),
        ];
        for (key, package, ceiling) in units {
            ensure!(ceiling == 0 || package <= ceiling, "{} is more than its ceiling", at(key));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    fn set(key: &str, value: &str) -> Result<Settings, String> {
        let variable = (format!("ZAMA__LIMITS__PLANS__{key}"), value.to_owned());
        Settings::load_with(None, [variable]).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_default_plan_is_the_products_and_development_has_no_limit() {
        let plans = Settings::load_with(None, []).expect("the defaults").limits.plans;
        let default = &plans["default"];
        assert_eq!((default.requests_per_minute, default.requests_per_hour, default.burst), (100, 10_000, 20));
        let active = (default.active_jobs_developer, default.active_jobs_team_lead, default.active_jobs_admin);
        assert_eq!(active, (50, 200, 0));
        let none = &plans["development"];
        assert_eq!((none.requests_per_minute, none.active_jobs_developer, none.compute_units_ceiling), (0, 0, 0));
    }

    /// Whoever pays more may do no less.
    #[test]
    fn each_plan_that_is_sold_has_limits_which_grow_with_it() {
        let plans = Settings::load_with(None, []).expect("the defaults").limits.plans;
        let of = |name: &str| {
            let plan = &plans[name];
            [
                plan.requests_per_minute.into(),
                plan.requests_per_hour.into(),
                plan.burst.into(),
                plan.active_jobs_developer.into(),
                plan.active_jobs_team_lead.into(),
                plan.confirming_jobs.into(),
                plan.compute_units_package,
                plan.compute_units_ceiling,
                plan.fhe_units_package,
                plan.fhe_units_ceiling,
            ]
        };
        assert_eq!(of("developer"), of("default"));
        for (less, more) in [("developer", "team"), ("team", "enterprise")] {
            let (less, more): ([u64; 10], [u64; 10]) = (of(less), of(more));
            assert!(less.iter().zip(&more).all(|(less, more)| less < more), "{less:?} {more:?}");
        }
    }

    #[test]
    fn a_key_of_a_plan_is_set_alone_and_a_new_plan_whole() {
        let plans = set("DEFAULT__BURST", "5").expect("one key").limits.plans;
        assert_eq!((plans["default"].burst, plans["default"].requests_per_minute), (5, 100));
        let refused = set("GOLD__BURST", "5").expect_err("a plan of one key");
        assert!(refused.contains("requests_per_minute"), "{refused}");
    }

    #[test]
    fn what_fits_together_in_no_way_is_named() {
        for (key, value, told) in [
            ("DEFAULT__BURST", "0", "limits.plans.default.burst"),
            ("DEFAULT__BURST", "101", "limits.plans.default.burst"),
            ("DEFAULT__FHE_UNITS_PACKAGE", "10001", "limits.plans.default.fhe_units_package"),
        ] {
            let refused = set(key, value).expect_err("refused");
            assert!(refused.contains(told), "{refused}");
        }
    }
}
