//! The page about limits tells those of `settings/config.default.toml`.

use settings::{Plan, Settings};

use crate::prices::grouped;

#[test]
fn the_page_has_the_limits_of_each_plan_that_is_sold() {
    let page = include_str!("../../docs/limits.md");
    let plans = Settings::load_with(None, []).unwrap().limits.plans;
    // One column is of both.
    assert_eq!(rows(&plans["default"]), rows(&plans["developer"]), "`developer` is limited as `default` is");
    let columns = ["default", "team", "enterprise"].map(|name| rows(&plans[name]));
    let mut told = vec!["| limit | `default`, `developer` | `team` | `enterprise` |".to_owned()];
    for (at, (title, default)) in columns[0].iter().enumerate() {
        let [team, enterprise] = [&columns[1][at].1, &columns[2][at].1];
        told.push(format!("| {title} | {default} | {team} | {enterprise} |"));
    }
    let missing: Vec<&String> =
        told.iter().filter(|row| !page.lines().any(|line| line.starts_with(row.as_str()))).collect();
    assert!(missing.is_empty(), "docs/limits.md must have the rows {missing:#?}");
    assert!(rows(&plans["development"]).iter().all(|(_, limits)| limits.split(", ").all(|limit| limit == NONE)));
}

/// 0 is no limit.
const NONE: &str = "any number";

/// What the page calls a limit, and a plan's; a new one is named here before this compiles.
fn rows(plan: &Plan) -> [(&'static str, String); 6] {
    let Plan {
        requests_per_minute,
        requests_per_hour,
        burst,
        active_jobs_developer,
        active_jobs_team_lead,
        active_jobs_admin,
        confirming_jobs,
        compute_units_package,
        compute_units_ceiling,
        fhe_units_package,
        fhe_units_ceiling,
    } = *plan;
    let active = [active_jobs_developer, active_jobs_team_lead, active_jobs_admin];
    [
        ("requests a minute, at once", limits([requests_per_minute, burst])),
        ("requests an hour", limits([requests_per_hour])),
        ("jobs that are PENDING or PROCESSING: developer, team_lead, admin", limits(active)),
        ("jobs that are CONFIRMING", limits([confirming_jobs])),
        (
            "compute units a month, used and reserved: package, ceiling",
            limits([compute_units_package, compute_units_ceiling]),
        ),
        ("FHE units a month, used and reserved: package, ceiling", limits([fhe_units_package, fhe_units_ceiling])),
    ]
}

fn limits<const N: usize>(numbers: [impl Into<u64>; N]) -> String {
    let told = numbers.map(|number| match number.into() {
        0 => NONE.to_owned(),
        number => grouped(number),
    });
    told.join(", ")
}
