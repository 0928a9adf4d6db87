//! What units cost by the catalogue, before Lago has said so: Lago's arithmetic over our own price list.

use std::collections::BTreeMap;

use jobs::credits::{Bounds, Counted, PriceList, Share};
use jobs::usage::Metric;

use crate::{Catalogue, ChargeTerms, Decimal, PlanTerms, Price, RecordedEvent, Tier};

/// Decimals of every currency of the catalogue.
const MINOR_DIGITS: u32 = 2;
/// Decimals of a bound that is no whole number of them.
const BOUND_DIGITS: u32 = 12;

impl Price {
    /// The price of a month's units in the currency's main unit, exactly; less than nothing costs nothing.
    #[must_use]
    pub fn amount(&self, units: &Decimal) -> Decimal {
        if units.is_negative() || units.is_zero() {
            return Decimal::zero();
        }
        match self {
            Self::Standard { amount } => units * amount,
            Self::Package { free_units, package_size, amount } => {
                let paid = units.clone() - &Decimal::from(*free_units);
                if paid.is_negative() {
                    return Decimal::zero();
                }
                &paid.parts_of(&Decimal::from(*package_size)) * amount
            }
            Self::Graduated { tiers } => graduated(tiers, units),
            Self::Volume { tiers } => {
                let tier = tiers.iter().find(|tier| tier.holds(units));
                tier.map_or_else(Decimal::zero, |tier| units * &tier.per_unit)
            }
        }
    }

    /// The same in minor units, rounded as Lago rounds a line.
    pub(crate) fn cents(&self, units: &Decimal) -> i64 {
        self.amount(units).minor_units(MINOR_DIGITS).unwrap_or(i64::MAX)
    }

    /// The most that a month's units cost while they grow from `first` to `last`.
    fn most(&self, first: &Decimal, last: &Decimal) -> Decimal {
        let ends = self.amount(first).max(self.amount(last));
        let Self::Volume { tiers } = self else { return ends };
        // Within a tier more units cost more; behind its end all of them may be cheaper.
        let between = tiers.iter().filter_map(|tier| tier.up_to.map(Decimal::from));
        let between = between.filter(|end| first < end && end < last);
        between.map(|end| self.amount(&end)).fold(ends, Ord::max)
    }

    /// The least and the most that some units can be of a month's price, each unit of the month bearing the same part of it,
    /// however many there are besides.
    fn share(&self, units: &Decimal) -> (Decimal, Decimal) {
        if units.is_negative() || units.is_zero() {
            return (Decimal::zero(), Decimal::zero());
        }
        match self {
            Self::Standard { amount } => (units * amount, units * amount),
            Self::Package { free_units, package_size, amount } => {
                // The dearest month ends with the first unit of a package; in an endless one the free units are nothing.
                let fewest = Decimal::from((*package_size).min(free_units.saturating_add(1)));
                let price = units * amount;
                let least = match free_units {
                    0 => price.over(&Decimal::from(*package_size), BOUND_DIGITS).0,
                    _ => Decimal::zero(),
                };
                (least, price.over(&fewest, BOUND_DIGITS).1)
            }
            Self::Graduated { tiers } => of_tiers(tiers, units),
            // All units have the price of a tier that holds at least these.
            Self::Volume { tiers } => {
                let from = tiers.iter().position(|tier| tier.holds(units)).unwrap_or_default();
                of_tiers(&tiers[from..], units)
            }
        }
    }
}

impl Tier {
    /// Whether its end is not below so many units.
    fn holds(&self, units: &Decimal) -> bool {
        self.up_to.is_none_or(|last| *units <= Decimal::from(last))
    }
}

fn graduated(tiers: &[Tier], units: &Decimal) -> Decimal {
    let (mut total, mut below) = (Decimal::zero(), Decimal::zero());
    for tier in tiers {
        let end = tier.up_to.map(Decimal::from).filter(|last| last < units).unwrap_or_else(|| units.clone());
        total = total + &(&(end.clone() - &below) * &tier.per_unit);
        if tier.holds(units) {
            break;
        }
        below = end;
    }
    total
}

fn of_tiers(tiers: &[Tier], units: &Decimal) -> (Decimal, Decimal) {
    let prices = tiers.iter().map(|tier| units * &tier.per_unit);
    let (least, most) = (prices.clone().min(), prices.max());
    (least.unwrap_or_else(Decimal::zero), most.unwrap_or_else(Decimal::zero))
}

impl PlanTerms {
    /// Whether a month with these events costs nothing at all.
    #[must_use]
    pub fn comes_to_nothing_with(&self, events: &[RecordedEvent]) -> bool {
        let costs_nothing = |charge: &ChargeTerms| {
            let of_it = events.iter().filter(|event| event.code == charge.metric.as_str());
            let units = of_it.filter_map(|event| event.value.as_ref()).fold(Decimal::zero(), |sum, value| sum + value);
            charge.price.cents(&units) == 0
        };
        self.amount_cents == 0 && self.charges.iter().all(costs_nothing)
    }
}

/// The catalogue as a price list.
#[derive(Clone, Debug)]
pub struct PriceBook {
    catalogue: Catalogue,
    default_plan: String,
}

impl PriceBook {
    /// `default_plan` is that of tenants whose own the catalogue does not have.
    #[must_use]
    pub fn new(catalogue: Catalogue, default_plan: String) -> Self {
        Self { catalogue, default_plan }
    }

    fn plan(&self, code: &str) -> Option<&PlanTerms> {
        let named = |code: &str| self.catalogue.plans.iter().find(|plan| plan.code == code);
        named(code).or_else(|| named(&self.default_plan)).or(self.catalogue.plans.first())
    }

    /// Percent of all taxes on a plan together.
    fn taxes(&self, plan: &PlanTerms) -> Decimal {
        let rates = self.catalogue.taxes.iter().filter(|tax| plan.taxes.contains(&tax.code));
        rates.fold(Decimal::zero(), |sum, tax| sum + &tax.rate)
    }

    /// A month with taxes in minor units, by what each of the plan's lines costs.
    fn total(&self, plan: &str, line: impl Fn(&ChargeTerms) -> Decimal) -> i64 {
        let Some(plan) = self.plan(plan) else { return 0 };
        // Each line is rounded, and the taxes on their sum once.
        let net = plan
            .charges
            .iter()
            .fold(0_i64, |sum, charge| sum.saturating_add(line(charge).minor_units(MINOR_DIGITS).unwrap_or(i64::MAX)));
        let taxes = (&self.taxes(plan).percent() * &Decimal::from(net)).minor_units(0).unwrap_or(i64::MAX);
        net.saturating_add(taxes)
    }
}

fn quantity(metric: Metric, counted: i64) -> Decimal {
    // A quantity is a plain number.
    metric.quantity(counted).to_string().parse().unwrap_or_else(|_| Decimal::zero())
}

fn price_of(plan: &PlanTerms, metric: Metric) -> Option<&Price> {
    plan.charges.iter().find(|charge| charge.metric == metric).map(|charge| &charge.price)
}

impl PriceList for PriceBook {
    fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str {
        self.plan(plan).map_or(self.default_plan.as_str(), |plan| plan.code.as_str())
    }

    fn currency(&self, plan: &str) -> &str {
        self.plan(plan).map_or("", |plan| plan.currency.as_str())
    }

    fn month(&self, plan: &str, units: &Counted) -> i64 {
        self.total(plan, |charge| charge.price.amount(&quantity(charge.metric, units.units_of(charge.metric))))
    }

    fn most(&self, plan: &str, used: &Counted, more: &Counted) -> i64 {
        let all = used.plus(more);
        self.total(plan, |charge| {
            let [first, last] = [used, &all].map(|units| quantity(charge.metric, units.units_of(charge.metric)));
            charge.price.most(&first, &last)
        })
    }

    fn share(&self, plan: &str, units: &Counted) -> Share {
        let mut by_metric = BTreeMap::new();
        let (mut least, mut most) = (Decimal::zero(), Decimal::zero());
        for (metric, counted) in units.iter() {
            let price = self.plan(plan).and_then(|plan| price_of(plan, metric));
            let (at_least, at_most) = price
                .map_or_else(|| (Decimal::zero(), Decimal::zero()), |price| price.share(&quantity(metric, counted)));
            least = least + &at_least;
            most = most + &at_most;
            by_metric.insert(metric, bounds(&at_least, &at_most));
        }
        Share { total: bounds(&least, &most), by_metric }
    }
}

fn bounds(at_least: &Decimal, at_most: &Decimal) -> Bounds {
    Bounds { at_least: at_least.to_string(), at_most: at_most.to_string() }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use jobs::credits::{Purse, Told, Verdict};
    use jobs::usage::Units;
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn book() -> PriceBook {
        PriceBook::new(Catalogue::standard(), "developer".to_owned())
    }

    fn counted<const N: usize>(units: [(Metric, i64); N]) -> Counted {
        units.into_iter().collect()
    }

    fn tiers(first: u64, second: u64, prices: [u64; 3]) -> Vec<Tier> {
        let ends = [Some(first), Some(first + second), None];
        ends.into_iter().zip(prices).map(|(up_to, price)| Tier { up_to, per_unit: Decimal::scaled(price, 2) }).collect()
    }

    /// A price of each kind.
    fn of_each_kind(tiers: Vec<Tier>, cents: u64, free_units: u64, package_size: u64) -> [Price; 4] {
        let amount = Decimal::scaled(cents, 2);
        [
            Price::Standard { amount: amount.clone() },
            Price::Package { free_units, package_size, amount },
            Price::Graduated { tiers: tiers.clone() },
            Price::Volume { tiers },
        ]
    }

    #[test]
    fn a_month_is_priced_line_by_line_with_taxes_at_the_end() {
        // Of plan team: 101,000 compute units are 8.06, 1,000 confirmations 1.50; a fifth more.
        let units = counted([(Metric::ComputeUnits, 101_000), (Metric::ChainConfirmations, 1_000)]);
        assert_eq!(book().month("team", &units), 1_147);
        // 1.5 GB-hours at 0.00015 are less than half a cent.
        assert_eq!(book().month("team", &counted([(Metric::StorageGbHours, 1_500_000_000)])), 0);
        assert_eq!(book().month("team", &counted([(Metric::StorageGbHours, 100_000_000_000)])), 2);
        assert_eq!(book().month("team", &Counted::default()), 0);
        assert_eq!(book().month("team", &counted([(Metric::ComputeUnits, -7)])), 0);
    }

    #[test]
    fn a_month_within_the_quota_of_a_plan_without_a_fee_comes_to_nothing() {
        let event = |code: &str, units: i64| RecordedEvent {
            transaction_id: format!("{code}:{units}"),
            external_subscription_id: Some("acme".to_owned()),
            code: code.to_owned(),
            timestamp: DateTime::UNIX_EPOCH,
            value: Some(units.into()),
            received_at: DateTime::UNIX_EPOCH,
        };
        let plan = |code: &str| book().plan(code).unwrap().clone();
        let quota = [event("compute_units", 6_000), event("compute_units", 4_000), event("nobody_knows", 9_000_000)];
        let with = |events: &[RecordedEvent], more: i64| [events.to_vec(), vec![event("compute_units", more)]].concat();
        let one_more = with(&quota, 1);
        let taken_back = with(&one_more, -1);
        for (events, is_nothing) in [(Vec::new(), true), (quota.to_vec(), true), (one_more, false), (taken_back, true)]
        {
            assert_eq!(plan("developer").comes_to_nothing_with(&events), is_nothing, "{events:?}");
            assert!(!plan("team").comes_to_nothing_with(&events), "it has a fee");
        }
    }

    #[test]
    fn a_plan_without_prices_has_those_of_the_default_one() {
        let units = counted([(Metric::ComputeUnits, 11_000)]);
        assert_eq!((book().plan_for("development"), book().currency("development")), ("developer", "EUR"));
        assert_eq!(book().month("development", &units), book().month("developer", &units));
        assert_ne!(book().month("enterprise", &units), book().month("developer", &units));
    }

    #[test]
    fn a_share_is_exact_where_each_unit_has_the_same_price() {
        let share = book().share("team", &counted([(Metric::ComputeUnits, 10), (Metric::JobsSubmitted, 1)]));
        let of = |metric| &share.by_metric[&metric];
        // 80 to 40 millionths a unit.
        assert_eq!(of(Metric::ComputeUnits), &bounds(&decimal("0.0004"), &decimal("0.0008")));
        assert_eq!(of(Metric::JobsSubmitted), &bounds(&Decimal::zero(), &Decimal::zero()));
        assert_eq!(share.total, *of(Metric::ComputeUnits));
        // In the package for nothing, or in a paid one: 0.10 for 1,000.
        let developer = book().share("developer", &counted([(Metric::ComputeUnits, 10)]));
        assert_eq!(developer.total, bounds(&Decimal::zero(), &decimal("0.001")));
        // Beyond the first tier's end all units are cheaper.
        let many = book().share("team", &counted([(Metric::ChainConfirmations, 10_001)]));
        assert_eq!(many.total, bounds(&decimal("7.0007"), &decimal("10.001")));
    }

    #[test]
    fn a_bound_that_never_ends_is_rounded_outwards() {
        let thirds = Price::Package { free_units: 0, package_size: 3, amount: decimal("1") };
        assert_eq!(thirds.share(&decimal("2")), (decimal("0.666666666666"), decimal("2")));
        let free = Price::Package { free_units: 2, package_size: 7, amount: decimal("1") };
        assert_eq!(free.share(&decimal("1")), (Decimal::zero(), decimal("0.333333333334")));
    }

    /// Of a tenant that has used this much, which is told, and has jobs open that may use so much more.
    fn purse(plan: &str, balance_cents: i64, units: Counted, reserved: Counted) -> Purse {
        let told = Told {
            currency: "EUR".to_owned(),
            plan: plan.to_owned(),
            balance_cents,
            usage_cents: book().month(plan, &units),
            units,
            owed_cents: 0,
            as_of: DateTime::UNIX_EPOCH,
        };
        Purse { told, since: Counted::default(), reserved }
    }

    #[test]
    fn open_jobs_give_nothing_back_before_they_end() {
        let month = counted([(Metric::JobsCompleted, 100_000), (Metric::ChainConfirmations, 100_000)]);
        let cheap = Counted::of_open_jobs(1, Units::NONE);
        // 75.00 and 100.00 with a fifth of taxes; one job more, and all of them are 50.00 and 70.00.
        assert_eq!((book().month("team", &month), book().month("team", &month.plus(&cheap))), (21_000, 14_400));
        let open = purse("team", 21_010, month, cheap);
        let left = open.left(&book());
        assert_eq!((left.reserved_cents, left.available_cents), (0, 10));
        // 8.00 and 54.00.
        let heavy = Counted::of_job(Units::plain(1_000_000));
        assert_eq!(open.pays(&heavy, &book()), Verdict::Exhausted { available_cents: 10, wanted_cents: 7_440 });
    }

    proptest! {
        /// Around the ends of tiers, too: whatever the open jobs use of what they may, it was reserved.
        #[test]
        fn an_open_job_more_never_makes_a_purse_fuller(plan in prop::sample::select(vec!["developer", "team", "enterprise"]), tier in prop::sample::select(vec![0i64, 10_000, 100_000, 1_000_000]), beside in -300i64..300, used in 0i64..2_000_000, open in 0u64..600, ended in 0u64..600, units in 0u64..5_000) {
            let jobs = (tier + beside).max(0);
            let month = counted([(Metric::JobsCompleted, jobs), (Metric::ChainConfirmations, jobs), (Metric::ComputeUnits, used)]);
            let reserved = |jobs: u64| Counted::of_open_jobs(jobs, Units::plain(jobs * units));
            let before = purse(plan, 1_000_000, month.clone(), reserved(open));
            let left = before.left(&book());
            prop_assert!(left.reserved_cents >= 0, "{left:?}");
            let after = Purse { reserved: reserved(open + 1), ..before.clone() }.left(&book());
            prop_assert!(after.available_cents <= left.available_cents, "{left:?}, {after:?}");
            let used_in_the_end = book().month(plan, &month.plus(&reserved(ended.min(open))));
            prop_assert!(used_in_the_end <= before.told.usage_cents + left.reserved_cents, "{left:?}");

            // What the job is asked for is what it then holds.
            let wanted_cents = left.available_cents - after.available_cents;
            let available_cents = wanted_cents - 1;
            let balance_cents = 1_000_000 - left.available_cents + available_cents;
            let short = purse(plan, balance_cents, month, reserved(open)).pays(&reserved(1), &book());
            prop_assert_eq!(short, Verdict::Exhausted { available_cents, wanted_cents });
        }

        /// Looked for at each number of units.
        #[test]
        fn the_most_of_a_growing_month_is_the_dearest_moment_of_it(from in -20i64..1_200, more in 0i64..300, first in 1u64..500, second in 1u64..500, prices in [0u64..1_000, 0u64..1_000, 0u64..1_000], free in 0u64..300, size in 1u64..300) {
            for price in of_each_kind(tiers(first, second, prices), prices[0], free, size) {
                let dearest = (from..=from + more).map(|units| price.amount(&units.into())).max();
                prop_assert_eq!(Some(price.most(&from.into(), &(from + more).into())), dearest, "{:?}", price);
            }
        }

        /// Unit by unit, which no formula of ours resembles.
        #[test]
        fn prices_agree_with_counting_units_one_by_one(units in 0u64..2_000, first in 1u64..500, second in 1u64..500, prices in [0u64..1_000, 0u64..1_000, 0u64..1_000], free in 0u64..300, size in 1u64..300) {
            let tiers = tiers(first, second, prices);
            let tier_of = |unit: u64| usize::from(unit > first) + usize::from(unit > first + second);
            let cents = |price: &Price| price.amount(&units.into()).minor_units(2).map(i64::unsigned_abs);
            let graduated = (1..=units).map(|unit| prices[tier_of(unit)]).sum::<u64>();
            prop_assert_eq!(cents(&Price::Graduated { tiers: tiers.clone() }), Some(graduated));
            prop_assert_eq!(cents(&Price::Volume { tiers }), Some(units * prices[tier_of(units)]));
            let begun = (free + 1..=units).filter(|unit| (unit - free - 1) % size == 0).count() as u64;
            let package = Price::Package { free_units: free, package_size: size, amount: Decimal::scaled(prices[0], 2) };
            prop_assert_eq!(cents(&package), Some(begun * prices[0]));
        }

        /// Whatever else a month holds, a job's part of its price is within the bounds that were told of it.
        #[test]
        fn no_month_makes_a_share_that_is_out_of_bounds(own in 1u64..300, others in 0u64..3_000, first in 1u64..500, second in 1u64..500, prices in [0u64..1_000, 0u64..1_000, 0u64..1_000], free in 0u64..300, size in 1u64..300) {
            for price in of_each_kind(tiers(first, second, prices), prices[0], free, size) {
                let all = Decimal::from(own + others);
                let (least, most) = price.share(&own.into());
                // own / all of the month's price, without a division.
                let part = &price.amount(&all) * &Decimal::from(own);
                prop_assert!(&least * &all <= part && part <= &most * &all, "{price:?}: {least} to {most}");
            }
        }
    }
}
