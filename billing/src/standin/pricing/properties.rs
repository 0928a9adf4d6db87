//! The price arithmetic against another one: plain integers of thousandths of a unit and of hundredths of a price, written
//! from Lago's description of its charge models and from nothing of this room.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Pricing;
use crate::Decimal;

const MILLI: i128 = 1_000;

/// Price of a unit and of a tier, in cents, and the last unit of the tier.
#[derive(Clone, Debug)]
struct Tier {
    last: Option<i128>,
    unit_cents: i128,
    flat_cents: i128,
}

fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    let tier = (1i128..300, 0i128..500, 0i128..2_000);
    proptest::collection::vec(tier, 1..5).prop_map(|widths| {
        let count = widths.len();
        let mut last = 0;
        let tier = |(index, (width, unit_cents, flat_cents)): (usize, (i128, i128, i128))| {
            last += width;
            Tier { last: (index + 1 < count).then_some(last), unit_cents, flat_cents }
        };
        widths.into_iter().enumerate().map(tier).collect()
    })
}

fn money(cents: i128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn units(milli: i128) -> Decimal {
    format!("{}.{:03}", milli / MILLI, milli % MILLI).parse().unwrap()
}

fn ranges(tiers: &[Tier]) -> Value {
    let mut from = 0;
    let range = |tier: &Tier| {
        let range = json!({
            "from_value": u64::try_from(from).unwrap(), "to_value": tier.last.map(|last| u64::try_from(last).unwrap()),
            "per_unit_amount": money(tier.unit_cents), "flat_amount": money(tier.flat_cents),
        });
        from = tier.last.unwrap_or_default() + 1;
        range
    };
    tiers.iter().map(range).collect()
}

fn read(model: &str, properties: &Value) -> Pricing {
    Pricing::read(model, properties.as_object().unwrap()).unwrap()
}

/// Whole cents of a number of cents times thousandths, halves away from zero.
fn rounded(milli_cents: i128) -> Option<i64> {
    i64::try_from((milli_cents * 2 + MILLI) / (MILLI * 2)).ok()
}

proptest! {
    /// Each tier takes what lies between its bounds, and its flat price once anything does.
    #[test]
    fn graduated_is_the_sum_of_its_tiers_parts(tiers in tiers(), milli in 0i128..2_000_000) {
        let pricing = read("graduated", &json!({ "graduated_ranges": ranges(&tiers) }));
        let mut below = 0;
        let mut expected = 0;
        for tier in &tiers {
            let upper = tier.last.map_or(milli, |last| milli.min(last * MILLI));
            if upper > below {
                expected += (upper - below) * tier.unit_cents + tier.flat_cents * MILLI;
            }
            below = tier.last.unwrap_or_default() * MILLI;
        }
        prop_assert_eq!(pricing.amount(&units(milli)).minor_units(2), rounded(expected));
    }

    /// The tier of the total prices all of it.
    #[test]
    fn volume_is_priced_by_the_tier_of_the_total(tiers in tiers(), milli in 1i128..2_000_000) {
        let pricing = read("volume", &json!({ "volume_ranges": ranges(&tiers) }));
        let tier = tiers.iter().find(|tier| tier.last.is_none_or(|last| milli <= last * MILLI)).unwrap();
        let expected = milli * tier.unit_cents + tier.flat_cents * MILLI;
        prop_assert_eq!(pricing.amount(&units(milli)).minor_units(2), rounded(expected));
    }

    /// Packages are bought one by one until all is covered.
    #[test]
    fn package_is_the_number_of_packages_that_must_be_bought(free in 0u64..500, size in 1u64..200, cents in 0i128..10_000, milli in 0i128..1_500_000) {
        let properties = json!({ "amount": money(cents), "free_units": free, "package_size": size });
        let pricing = read("package", &properties);
        let (mut covered, mut bought) = (i128::from(free) * MILLI, 0);
        while covered < milli {
            covered += i128::from(size) * MILLI;
            bought += 1;
        }
        prop_assert_eq!(pricing.amount(&units(milli)).minor_units(2), i64::try_from(bought * cents).ok());
    }

    #[test]
    fn standard_is_a_product(cents in 0i128..100_000, milli in 0i128..10_000_000) {
        let pricing = read("standard", &json!({ "amount": money(cents) }));
        prop_assert_eq!(pricing.amount(&units(milli)).minor_units(2), rounded(milli * cents));
    }
}
