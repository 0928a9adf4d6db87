//! Prepaid credits: what a tenant has left, by what the billing system told last and what was used since.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::usage::{Metric, Units};

/// Most of one top-up, in minor units: what is mistyped beyond it is refused, and sums of many can be held.
pub const LARGEST_TOP_UP: i64 = 100_000_000;

/// Admissions that may be under way at once without any of them seeing the others: processes of the API, times their
/// connections to the database.
const AT_ONCE: i64 = 256;

/// Units by metric, as the ledger counts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Counted(BTreeMap<Metric, i64>);

impl Counted {
    /// All that one job can be metered: it is accepted, uses at most so much, is completed and confirmed.
    #[must_use]
    pub fn of_job(most: Units) -> Self {
        Self::of_open_jobs(1, most).plus(&[(Metric::JobsSubmitted, 1)].into_iter().collect())
    }

    /// All that so many accepted jobs can still be metered, together.
    #[must_use]
    pub fn of_open_jobs(jobs: u64, most: Units) -> Self {
        let units = [
            (Metric::ComputeUnits, most.compute),
            (Metric::FheComputeUnits, most.fhe),
            (Metric::JobsCompleted, jobs),
            (Metric::ChainConfirmations, jobs),
        ];
        units.into_iter().map(|(metric, units)| (metric, i64::try_from(units).unwrap_or(i64::MAX))).collect()
    }

    /// The units of each metric that there are some of.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, i64)> + '_ {
        self.0.iter().map(|(metric, units)| (*metric, *units))
    }

    /// The units of a metric.
    #[must_use]
    pub fn units_of(&self, metric: Metric) -> i64 {
        self.0.get(&metric).copied().unwrap_or_default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// Of each metric the larger number.
    #[must_use]
    pub fn larger(&self, other: &Self) -> Self {
        Metric::ALL.into_iter().map(|metric| (metric, self.units_of(metric).max(other.units_of(metric)))).collect()
    }

    /// So many times as much.
    #[must_use]
    fn times(&self, factor: i64) -> Self {
        self.iter().map(|(metric, units)| (metric, units.saturating_mul(factor))).collect()
    }
}

impl FromIterator<(Metric, i64)> for Counted {
    fn from_iter<T: IntoIterator<Item = (Metric, i64)>>(units: T) -> Self {
        let mut sums = BTreeMap::new();
        for (metric, units) in units {
            let sum: &mut i64 = sums.entry(metric).or_default();
            *sum = sum.saturating_add(units);
        }
        sums.retain(|_, units| *units != 0);
        Self(sums)
    }
}

/// What units cost, by plan. Whoever builds a server brings the prices.
pub trait PriceList: Send + Sync {
    /// The plan by which a tenant on `plan` is billed.
    fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str;

    /// ISO 4217 code of a plan's amounts.
    fn currency(&self, plan: &str) -> &str;

    /// What a month's units cost on a plan, taxes included, in minor units; the plan's own fee is not in it. A metric with
    /// less than nothing costs nothing.
    fn month(&self, plan: &str, units: &Counted) -> i64;

    /// The most that a month's units cost on a plan when `more` or any part of it comes to what was `used`, in the same terms:
    /// never less than [`Self::month`] of either end, and never less for more. Where prices fall with use, a part of it may
    /// cost more than all of it.
    fn most(&self, plan: &str, used: &Counted, more: &Counted) -> i64;

    /// What some units can be of a month's price on a plan, however much else is used in it, without taxes.
    fn share(&self, plan: &str, units: &Counted) -> Share;
}

/// A part of a month's price, in the currency's main unit, as exact decimal numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub total: Bounds,
    pub by_metric: BTreeMap<Metric, Bounds>,
}

/// Between two amounts, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub at_least: String,
    pub at_most: String,
}

/// A tenant's account as the billing system told it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// ISO 4217 code of all amounts, which are in minor units.
    pub currency: String,
    /// Plan of its subscription there.
    pub plan: String,
    /// Credits that count and that no invoice has drawn.
    pub balance_cents: i64,
    /// Price of `units` with taxes: what the open period had used.
    pub usage_cents: i64,
    pub units: Counted,
    /// What the period before has used, until its invoice has drawn it.
    pub owed_cents: i64,
    /// When it was asked.
    pub as_of: DateTime<Utc>,
}

/// What a tenant can spend: what was told, and what has happened since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purse {
    pub told: Told,
    /// Used, and not in what was told.
    pub since: Counted,
    /// What accepted jobs that have not ended can still use.
    pub reserved: Counted,
}

/// What is left of a purse, and why it is no more; minor units, taxes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub since_cents: i64,
    pub reserved_cents: i64,
    /// Below zero when more was used than paid for.
    pub available_cents: i64,
}

/// Whether a purse pays for one more job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// For as many more like it as can be under way at once.
    Ample,
    /// For this one.
    Enough,
    /// Not for it; minor units.
    Exhausted { available_cents: i64, wanted_cents: i64 },
}

impl Purse {
    /// What is left.
    #[must_use]
    pub fn left(&self, prices: &dyn PriceList) -> Left {
        let Told { plan, units, balance_cents, usage_cents, owed_cents, .. } = &self.told;
        let used = units.plus(&self.since);
        let told_price = prices.month(plan, units);
        let used_price = prices.month(plan, &used);
        let since_cents = used_price.saturating_sub(told_price);
        // What is not used yet makes nothing cheaper: it may never be used.
        let reserved_cents = prices.most(plan, &used, &self.reserved).saturating_sub(used_price);
        let spent = [*usage_cents, *owed_cents, since_cents, reserved_cents];
        let available_cents = spent.into_iter().fold(*balance_cents, i64::saturating_sub);
        Left { since_cents, reserved_cents, available_cents }
    }

    /// Whether one more job is paid for, whatever it uses. An empty purse pays for nothing, not even for what costs nothing.
    #[must_use]
    pub fn pays(&self, job: &Counted, prices: &dyn PriceList) -> Verdict {
        let Told { plan, units, .. } = &self.told;
        let used = units.plus(&self.since);
        let with = |more: &Counted| prices.most(plan, &used, &self.reserved.plus(more));
        let before = with(&Counted::default());
        let cost = |of: &Counted| with(of).saturating_sub(before);
        let Left { available_cents, .. } = self.left(prices);
        let wanted_cents = cost(job);
        if available_cents <= 0 || wanted_cents > available_cents {
            return Verdict::Exhausted { available_cents, wanted_cents };
        }
        if cost(&job.times(AT_ONCE)) <= available_cents { Verdict::Ample } else { Verdict::Enough }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten cents a compute unit, the first ten of a month for nothing; a cent a confirmation.
    struct Prices;

    impl PriceList for Prices {
        fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str {
            plan
        }

        fn currency(&self, _: &str) -> &str {
            "EUR"
        }

        fn month(&self, _: &str, units: &Counted) -> i64 {
            let price = |(metric, units): (Metric, i64)| match metric {
                Metric::ComputeUnits => (units - 10).max(0) * 10,
                Metric::ChainConfirmations => units,
                _ => 0,
            };
            units.iter().map(price).sum()
        }

        fn most(&self, plan: &str, used: &Counted, more: &Counted) -> i64 {
            self.month(plan, &used.plus(more))
        }

        fn share(&self, _: &str, _: &Counted) -> Share {
            unreachable!("nobody asks")
        }
    }

    fn compute(units: i64) -> Counted {
        [(Metric::ComputeUnits, units)].into_iter().collect()
    }

    fn purse(balance_cents: i64, told: i64) -> Purse {
        let told = Told {
            currency: "EUR".to_owned(),
            plan: "team".to_owned(),
            balance_cents,
            usage_cents: Prices.month("team", &compute(told)),
            units: compute(told),
            owed_cents: 0,
            as_of: DateTime::UNIX_EPOCH,
        };
        Purse { told, since: Counted::default(), reserved: Counted::default() }
    }

    #[test]
    fn what_was_used_since_is_priced_after_what_was_told() {
        let since = Purse { since: compute(4), reserved: compute(3), ..purse(200, 8) };
        // Of the four since, two are free.
        assert_eq!(since.left(&Prices), Left { since_cents: 20, reserved_cents: 30, available_cents: 150 });
        let owing = Purse { told: Told { owed_cents: 60, ..since.told.clone() }, ..since };
        assert_eq!(owing.left(&Prices).available_cents, 90);
        // A correction gives back.
        let corrected = Purse { since: compute(-3), ..purse(200, 15) };
        assert_eq!(corrected.left(&Prices), Left { since_cents: -30, reserved_cents: 0, available_cents: 180 });
    }

    #[test]
    fn a_job_is_paid_for_at_its_most_or_not_admitted() {
        let job = Counted::of_job(Units::plain(2));
        assert_eq!(purse(20, 10).pays(&job, &Prices), Verdict::Exhausted { available_cents: 20, wanted_cents: 21 });
        assert_eq!(purse(21, 10).pays(&job, &Prices), Verdict::Enough);
        assert_eq!(purse(21 * AT_ONCE, 10).pays(&job, &Prices), Verdict::Ample);
        assert_eq!(purse(21 * AT_ONCE - 1, 10).pays(&job, &Prices), Verdict::Enough);
        let open = Purse { reserved: Counted::of_open_jobs(1, Units::plain(2)), ..purse(41, 10) };
        assert_eq!(open.pays(&job, &Prices), Verdict::Exhausted { available_cents: 20, wanted_cents: 21 });
    }

    #[test]
    fn an_empty_purse_pays_for_nothing() {
        let free = compute(1);
        assert_eq!(purse(0, 0).pays(&free, &Prices), Verdict::Exhausted { available_cents: 0, wanted_cents: 0 });
        assert_eq!(purse(1, 0).pays(&free, &Prices), Verdict::Enough);
    }

    #[test]
    fn counts_add_up_and_never_overflow() {
        let job = Counted::of_job(Units { compute: u64::MAX, fhe: 3 });
        let expected = [
            (Metric::JobsSubmitted, 1),
            (Metric::JobsCompleted, 1),
            (Metric::ComputeUnits, i64::MAX),
            (Metric::FheComputeUnits, 3),
            (Metric::ChainConfirmations, 1),
        ];
        assert_eq!(job.plus(&job).iter().collect::<Vec<_>>()[2], (Metric::ComputeUnits, i64::MAX));
        assert_eq!(job, expected.into_iter().collect());
        assert_eq!(compute(5).plus(&compute(-5)), Counted::default());
        let confirmed: Counted = [(Metric::ChainConfirmations, 2)].into_iter().collect();
        assert_eq!(compute(5).larger(&compute(3).plus(&confirmed)), compute(5).plus(&confirmed));
        assert_eq!(compute(-5).larger(&Counted::default()), Counted::default());
        let text = serde_json::to_string(&job).unwrap();
        assert!(text.contains(r#""fhe_compute_units":3"#), "{text}");
        assert_eq!(serde_json::from_str::<Counted>(&text).unwrap(), job);
    }
}
