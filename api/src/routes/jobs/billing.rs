//! What a job's usage is billed as, and what it costs, as far as that can be said.

use jobs::credits::{Bounds, Counted, PriceList};
use jobs::usage::Metric;
use jobs::wire::{CostBounds, JobBilling, JobCost, JobLine, JobUsageRow};
use store::usage::of_job::{BilledBy, JobRow};
use store::usage::standing::Standing;

use crate::routes::usage::state::state_of;

/// Presents a job's rows, which come by metric. Nothing is said of its cost without `prices`, nor where its rows are billed by
/// several plans, or by one that nobody knows.
pub(super) fn billing_of(rows: Vec<JobRow>, prices: Option<&dyn PriceList>) -> JobBilling {
    let priced = prices.and_then(|prices| {
        let plan = plan_of(&rows, prices)?.to_owned();
        let (currency, share) = (prices.currency(&plan).to_owned(), prices.share(&plan, &billed(&rows)));
        Some((plan, currency, share))
    });
    let mut lines: Vec<JobLine> = Vec::new();
    for row in rows {
        if lines.last().is_none_or(|line| line.metric != row.metric) {
            let share = priced.as_ref().map(|(_, _, share)| share);
            let of_metric = |metric: Metric| share.and_then(|share| share.by_metric.get(&metric)).map(bounds);
            let nothing = || share.map(|_| CostBounds { at_least: "0".to_owned(), at_most: "0".to_owned() });
            let cost = row.metric.parse().ok().and_then(of_metric).or_else(nothing);
            lines.push(JobLine { metric: row.metric.clone(), units: 0, cost, rows: Vec::new() });
        }
        if let Some(line) = lines.last_mut() {
            line.units = line.units.saturating_add(row.units);
            line.rows.push(presented(row));
        }
    }
    let cost = priced.map(|(plan, currency, share)| JobCost {
        plan,
        currency,
        is_exact: share.total.at_least == share.total.at_most,
        at_least: share.total.at_least,
        at_most: share.total.at_most,
    });
    JobBilling { lines, cost }
}

/// The one plan by which all that is billed of a job is billed; that of its last row where nothing is.
fn plan_of<'a>(rows: &'a [JobRow], prices: &'a dyn PriceList) -> Option<&'a str> {
    let named = |row: &'a JobRow| match &row.billed_by {
        // A plan that finance made in the billing system has prices that are not ours to tell.
        BilledBy::Told(plan) => Some(plan.as_str()).filter(|plan| prices.plan_for(plan) == *plan),
        BilledBy::Expected(plan) => Some(prices.plan_for(plan)),
        BilledBy::Unknown => None,
    };
    let mut plans = rows.iter().filter(|row| is_billed(row)).map(named);
    let Some(first) = plans.next() else { return rows.last().and_then(named) };
    first.filter(|first| plans.all(|plan| plan == Some(*first)))
}

/// Whether it is on an invoice, or will be.
fn is_billed(row: &JobRow) -> bool {
    matches!(row.standing, Standing::Due | Standing::Delivered(_))
}

/// What is billed of it, or will be.
fn billed(rows: &[JobRow]) -> Counted {
    let counts = rows.iter().filter(|row| is_billed(row));
    counts.filter_map(|row| Some((row.metric.parse::<Metric>().ok()?, row.units))).collect()
}

fn bounds(bounds: &Bounds) -> CostBounds {
    CostBounds { at_least: bounds.at_least.clone(), at_most: bounds.at_most.clone() }
}

fn presented(row: JobRow) -> JobUsageRow {
    JobUsageRow {
        id: row.id,
        segment: row.segment,
        units: row.units,
        gas: row.gas,
        occurred_at: row.occurred_at,
        month: row.billed_at.map(|billed_at| billed_at.format("%Y-%m").to_string()),
        billed_at: row.billed_at,
        state: state_of(&row.standing),
        reason: row.reason,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use jobs::credits::Share;
    use jobs::wire::JobUsageState;

    use super::*;

    /// Each unit costs one, or two if the month has none for nothing.
    struct Prices;

    impl PriceList for Prices {
        fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str {
            if plan == "enterprise" { plan } else { "team" }
        }

        fn currency(&self, _: &str) -> &str {
            "EUR"
        }

        fn month(&self, _: &str, _: &Counted) -> i64 {
            unreachable!("nobody asks")
        }

        fn most(&self, _: &str, _: &Counted, _: &Counted) -> i64 {
            unreachable!("nobody asks")
        }

        fn share(&self, plan: &str, units: &Counted) -> Share {
            assert!(matches!(plan, "team" | "enterprise"));
            let bounds = |units: i64| Bounds { at_least: units.to_string(), at_most: (2 * units).to_string() };
            let by_metric: BTreeMap<_, _> = units.iter().map(|(metric, units)| (metric, bounds(units))).collect();
            Share { total: bounds(units.iter().map(|(_, units)| units).sum()), by_metric }
        }
    }

    fn row(metric: &str, segment: &str, units: i64, standing: Standing) -> JobRow {
        let at = DateTime::parse_from_rfc3339("2026-02-28T23:59:59.9Z").unwrap().to_utc();
        let billed_at = matches!(standing, Standing::Delivered(_)).then(|| at + chrono::TimeDelta::milliseconds(100));
        let (id, metric, segment) = (format!("j:{metric}:{segment}"), metric.to_owned(), segment.to_owned());
        let billed_by = BilledBy::Expected("development".to_owned());
        JobRow { id, metric, segment, units, gas: None, occurred_at: at, billed_at, standing, billed_by, reason: None }
    }

    fn told(plan: &str) -> BilledBy {
        BilledBy::Told(plan.to_owned())
    }

    /// The plan of the cost of rows like [`rows`]: one after the other is billed by one of these.
    fn plan_of_cost<const N: usize>(plans: [BilledBy; N]) -> Option<String> {
        let rows = rows().into_iter().zip(plans.into_iter().cycle());
        let rows = rows.map(|(row, billed_by)| JobRow { billed_by, ..row }).collect();
        billing_of(rows, Some(&Prices)).cost.map(|cost| cost.plan)
    }

    fn rows() -> Vec<JobRow> {
        let delivered = || Standing::Delivered(DateTime::UNIX_EPOCH);
        vec![
            row("compute_units", "0", 5, Standing::TakenBack),
            row("compute_units", "0.1", -5, Standing::TakenBack),
            row("compute_units", "0.2", 5, delivered()),
            row("compute_units", "0.3", -2, Standing::Due),
            row("jobs_completed", "0", 1, Standing::Refused("422".to_owned())),
            row("jobs_submitted", "0", 1, delivered()),
        ]
    }

    #[test]
    fn a_line_counts_all_rows_and_costs_those_that_are_billed() {
        let billing = billing_of(rows(), Some(&Prices));
        let told =
            |line: &JobLine| (line.metric.clone(), line.units, line.cost.clone().unwrap().at_most, line.rows.len());
        let expected = [("compute_units", 3, "6", 4), ("jobs_completed", 1, "0", 1), ("jobs_submitted", 1, "2", 1)];
        let expected = expected.map(|(metric, units, cost, rows)| (metric.to_owned(), units, cost.to_owned(), rows));
        assert_eq!(billing.lines.iter().map(told).collect::<Vec<_>>(), expected);
        let cost = billing.cost.unwrap();
        assert_eq!((cost.at_least.as_str(), cost.at_most.as_str()), ("4", "8"));
        assert_eq!((cost.plan.as_str(), cost.is_exact), ("team", false));
        let row = &billing.lines[0].rows[2];
        assert_eq!((row.month.as_deref(), row.state), (Some("2026-03"), JobUsageState::Delivered));
        assert_eq!(billing.lines[0].rows[3].month, None, "it is not fixed yet");
    }

    #[test]
    fn a_cost_is_that_of_the_one_plan_that_bills_it_or_not_told() {
        assert_eq!(plan_of_cost([told("enterprise")]).as_deref(), Some("enterprise"));
        assert_eq!(plan_of_cost([told("team"), BilledBy::Expected("team".to_owned())]).as_deref(), Some("team"));
        assert_eq!(plan_of_cost([told("team"), told("enterprise")]), None, "each has its part");
        assert_eq!(plan_of_cost([told("made by finance")]), None, "whose prices are not ours");
        assert_eq!(plan_of_cost([BilledBy::Unknown]), None);
        assert_eq!(plan_of_cost([told("team"), BilledBy::Unknown]), None);
        // What was taken back or refused is on no invoice: the first two rows, and the fifth.
        let plans = ["team", "team", "enterprise", "enterprise", "team", "enterprise"].map(told);
        assert_eq!(plan_of_cost(plans).as_deref(), Some("enterprise"));
    }

    #[test]
    fn without_prices_nothing_is_said_of_costs() {
        let billing = billing_of(rows(), None);
        assert!(billing.cost.is_none() && billing.lines.iter().all(|line| line.cost.is_none()));
    }
}
