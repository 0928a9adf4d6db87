//! The price list: metrics, plans, charges and taxes as `billing setup` provisions them in Lago.

use lago_types::models::ChargeModel;
use serde_json::{Value, json};

use crate::{Decimal, Metric};

mod standard;

/// Everything that setup provisions.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub metrics: Vec<Metric>,
    pub taxes: Vec<TaxTerms>,
    pub plans: Vec<PlanTerms>,
    /// Where Lago reports to; `None` leaves its webhook endpoints alone.
    pub webhook_url: Option<String>,
}

/// A tax on all of a plan's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxTerms {
    pub code: String,
    pub name: String,
    /// Percent, for example 20 or 19.6.
    pub rate: Decimal,
}

/// A plan, billed by the calendar month, in arrears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTerms {
    pub code: String,
    pub name: String,
    pub description: String,
    /// Fee of the month itself, in minor units.
    pub amount_cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Codes of the taxes on this plan.
    pub taxes: Vec<String>,
    /// At most one a metric; a metric without one is not billed.
    pub charges: Vec<ChargeTerms>,
}

/// The price of a metric within a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeTerms {
    pub metric: Metric,
    pub price: Price,
}

/// How units become money. Amounts are decimals of the currency's main unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Price {
    /// The same for each unit.
    Standard { amount: Decimal },
    /// A quota for nothing, then whole packages.
    Package { free_units: u64, package_size: u64, amount: Decimal },
    /// Each tier's units at that tier's price.
    Graduated { tiers: Vec<Tier> },
    /// All units at the price of the tier that the total falls into.
    Volume { tiers: Vec<Tier> },
}

/// A range of units and its price; the next tier starts one unit above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Last unit of the tier; `None` for the last tier.
    pub up_to: Option<u64>,
    /// Price of a unit.
    pub per_unit: Decimal,
}

impl Price {
    /// Lago's name for the way the price is made.
    pub fn model(&self) -> ChargeModel {
        match self {
            Self::Standard { .. } => ChargeModel::Standard,
            Self::Package { .. } => ChargeModel::Package,
            Self::Graduated { .. } => ChargeModel::Graduated,
            Self::Volume { .. } => ChargeModel::Volume,
        }
    }

    /// Lago's `properties` of a charge.
    pub(crate) fn properties(&self) -> Value {
        match self {
            Self::Standard { amount } => json!({ "amount": amount }),
            Self::Package { free_units, package_size, amount } => {
                json!({ "free_units": free_units, "package_size": package_size, "amount": amount })
            }
            Self::Graduated { tiers } => json!({ "graduated_ranges": ranges(tiers) }),
            Self::Volume { tiers } => json!({ "volume_ranges": ranges(tiers) }),
        }
    }
}

fn ranges(tiers: &[Tier]) -> Vec<Value> {
    let starts = std::iter::once(0).chain(tiers.iter().filter_map(|tier| tier.up_to.map(|last| last + 1)));
    let range = |(start, tier): (u64, &Tier)| json!({ "from_value": start, "to_value": tier.up_to, "per_unit_amount": tier.per_unit, "flat_amount": "0" });
    starts.zip(tiers).map(range).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_standard_catalogue_is_consistent() {
        let catalogue = Catalogue::standard();
        let taxes: HashSet<_> = catalogue.taxes.iter().map(|tax| &tax.code).collect();
        for plan in &catalogue.plans {
            assert!(plan.taxes.iter().all(|code| taxes.contains(code)), "{} names an unknown tax", plan.code);
            let metrics: HashSet<_> = plan.charges.iter().map(|charge| charge.metric).collect();
            assert_eq!(metrics.len(), plan.charges.len(), "{} has two charges for one metric", plan.code);
            for charge in &plan.charges {
                let (Price::Graduated { tiers } | Price::Volume { tiers }) = &charge.price else { continue };
                assert!(tiers.windows(2).all(|pair| pair[0].up_to < pair[1].up_to.or(Some(u64::MAX))));
                assert_eq!(tiers.iter().filter(|tier| tier.up_to.is_none()).count(), 1);
                assert!(tiers.last().is_some_and(|tier| tier.up_to.is_none()));
            }
        }
    }

    #[test]
    fn tiers_follow_one_another_without_a_gap() {
        let tiers = vec![Tier { up_to: Some(10), per_unit: 2u64.into() }, Tier { up_to: None, per_unit: 1u64.into() }];
        let properties = Price::Graduated { tiers }.properties();
        assert_eq!(
            properties,
            json!({ "graduated_ranges": [
                { "from_value": 0, "to_value": 10, "per_unit_amount": "2", "flat_amount": "0" },
                { "from_value": 11, "to_value": null, "per_unit_amount": "1", "flat_amount": "0" },
            ] })
        );
    }
}
