//! Lago's charge models: from units to money, in exact decimals.
//!
//! A range's first unit is its `from_value`, except that the first range starts at nothing; a flat amount counts from
//! the range's first unit on. Prices stay as they were sent, because they are echoed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use crate::Decimal;

/// How a charge turns units into an amount of the currency's main unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub(super) enum Pricing {
    Standard { amount: Decimal },
    Package { amount: Decimal, free_units: u64, package_size: u64 },
    Graduated { ranges: Vec<Range> },
    Volume { ranges: Vec<Range> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    from_value: u64,
    to_value: Option<u64>,
    per_unit_amount: Decimal,
    flat_amount: Decimal,
}

impl Pricing {
    /// Reads a charge as it is sent.
    pub(super) fn read(model: &str, properties: &Map<String, Value>) -> Result<Self, Refusal> {
        match model {
            "standard" => Ok(Self::Standard { amount: amount(properties, "amount")? }),
            "package" => Ok(Self::Package {
                amount: amount(properties, "amount")?,
                free_units: whole(properties, "free_units", "invalid_free_units")?,
                package_size: Some(whole(properties, "package_size", "invalid_package_size")?)
                    .filter(|size| *size > 0)
                    .ok_or_else(|| Refusal::field("properties", "invalid_package_size"))?,
            }),
            "graduated" => Ok(Self::Graduated { ranges: ranges(properties, "graduated_ranges")? }),
            "volume" => Ok(Self::Volume { ranges: ranges(properties, "volume_ranges")? }),
            other => Err(Refusal::NotImplemented(format!("the charge model {other:?}"))),
        }
    }

    pub(super) fn model(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::Package { .. } => "package",
            Self::Graduated { .. } => "graduated",
            Self::Volume { .. } => "volume",
        }
    }

    /// The charge's `properties` as Lago shows them.
    pub(super) fn properties(&self) -> Value {
        match self {
            Self::Standard { amount } => json!({ "amount": amount }),
            Self::Package { amount, free_units, package_size } => {
                json!({ "amount": amount, "free_units": free_units, "package_size": package_size })
            }
            Self::Graduated { ranges } => json!({ "graduated_ranges": ranges }),
            Self::Volume { ranges } => json!({ "volume_ranges": ranges }),
        }
    }

    /// The price of `units`, not rounded; a negative total costs nothing.
    pub(super) fn amount(&self, units: &Decimal) -> Decimal {
        if units.is_negative() || units.is_zero() {
            return Decimal::zero();
        }
        match self {
            Self::Standard { amount } => units * amount,
            Self::Package { amount, free_units, package_size } => {
                let paid = units.clone() - &Decimal::from(*free_units);
                if paid.is_negative() {
                    Decimal::zero()
                } else {
                    &paid.parts_of(&Decimal::from(*package_size)) * amount
                }
            }
            Self::Graduated { ranges } => graduated(ranges, units),
            Self::Volume { ranges } => ranges
                .iter()
                .find(|range| Decimal::from(range.from_value) <= units.ceil() && range.reaches(units))
                .map_or_else(Decimal::zero, |range| (units * &range.per_unit_amount) + &range.flat_amount),
        }
    }
}

impl Range {
    fn reaches(&self, units: &Decimal) -> bool {
        self.to_value.is_none_or(|last| *units <= Decimal::from(last))
    }
}

fn graduated(ranges: &[Range], units: &Decimal) -> Decimal {
    let mut total = Decimal::zero();
    for range in ranges {
        let counted = match range.to_value.map(Decimal::from) {
            Some(last) if *units >= last => last,
            _ => units.clone(),
        };
        let below = Decimal::from(range.from_value.saturating_sub(1));
        total = total + &(&(counted - &below) * &range.per_unit_amount) + &range.flat_amount;
        if range.reaches(units) {
            break;
        }
    }
    total
}

fn amount(properties: &Map<String, Value>, name: &str) -> Result<Decimal, Refusal> {
    let text = properties.get(name).and_then(Value::as_str);
    let parsed = text.and_then(|text| text.parse::<Decimal>().ok()).filter(|amount| !amount.is_negative());
    parsed.ok_or_else(|| Refusal::field("properties", "invalid_amount"))
}

fn whole(properties: &Map<String, Value>, name: &str, error: &str) -> Result<u64, Refusal> {
    properties.get(name).and_then(Value::as_u64).ok_or_else(|| Refusal::field("properties", error))
}

fn ranges(properties: &Map<String, Value>, name: &str) -> Result<Vec<Range>, Refusal> {
    let list = properties.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Refusal::field("properties", &format!("missing_{name}")))?;
    let invalid = || Refusal::field("properties", &format!("invalid_{name}"));
    let mut expected = Some(0);
    let mut read = Vec::with_capacity(list.len());
    for item in list {
        let item = item.as_object().ok_or_else(invalid)?;
        let from_value = item.get("from_value").and_then(Value::as_u64).ok_or_else(invalid)?;
        let to_value = match item.get("to_value") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_u64().ok_or_else(invalid)?),
        };
        if expected != Some(from_value) || to_value.is_some_and(|last| last < from_value) {
            return Err(invalid());
        }
        expected = to_value.map(|last| last.saturating_add(1));
        read.push(Range {
            from_value,
            to_value,
            per_unit_amount: amount(item, "per_unit_amount")?,
            flat_amount: amount(item, "flat_amount")?,
        });
    }
    if expected.is_some() { Err(invalid()) } else { Ok(read) }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pricing(model: &str, properties: &Value) -> Pricing {
        Pricing::read(model, properties.as_object().unwrap()).unwrap()
    }

    fn tiers() -> Value {
        json!([
            { "from_value": 0, "to_value": 100, "per_unit_amount": "2", "flat_amount": "10" },
            { "from_value": 101, "to_value": 200, "per_unit_amount": "1", "flat_amount": "0" },
            { "from_value": 201, "to_value": null, "per_unit_amount": "0.5", "flat_amount": "50" },
        ])
    }

    fn assert_prices(pricing: &Pricing, cases: &[(&str, &str)]) {
        for (units, amount) in cases {
            assert_eq!(pricing.amount(&units.parse().unwrap()), amount.parse().unwrap(), "{units} units");
        }
    }

    #[test]
    fn volume_prices_all_units_by_the_range_of_the_total() {
        let volume = pricing("volume", &json!({ "volume_ranges": tiers() }));
        assert_prices(
            &volume,
            &[
                ("0", "0"),
                ("1", "12"),
                ("100", "210"),
                ("100.5", "100.5"),
                ("101", "101"),
                ("200", "200"),
                ("201", "150.5"),
                ("300", "200"),
                ("-5", "0"),
            ],
        );
    }

    #[test]
    fn graduated_prices_each_unit_by_its_own_range() {
        let graduated = pricing("graduated", &json!({ "graduated_ranges": tiers() }));
        assert_prices(
            &graduated,
            &[
                ("0", "0"),
                ("1", "12"),
                ("0.5", "11"),
                ("100", "210"),
                ("100.5", "210.5"),
                ("101", "211"),
                ("200", "310"),
                ("201", "360.5"),
                ("300", "410"),
            ],
        );
    }

    #[test]
    fn package_bills_started_packages_beyond_the_free_units() {
        let package = pricing("package", &json!({ "amount": "0.10", "free_units": 10, "package_size": 5 }));
        assert_prices(
            &package,
            &[("0", "0"), ("10", "0"), ("10.001", "0.1"), ("15", "0.1"), ("15.5", "0.2"), ("16", "0.2"), ("20", "0.2")],
        );
    }

    #[test]
    fn ranges_with_a_gap_an_overlap_or_no_end_are_refused() {
        let range = |from: u64, to: Option<u64>| json!({ "from_value": from, "to_value": to, "per_unit_amount": "1", "flat_amount": "0" });
        for list in [
            json!([]),
            json!([range(1, None)]),
            json!([range(0, Some(10))]),
            json!([range(0, Some(10)), range(12, None)]),
            json!([range(0, None), range(11, None)]),
            json!([range(0, Some(10)), range(10, None)]),
        ] {
            let properties = json!({ "volume_ranges": list });
            assert!(Pricing::read("volume", properties.as_object().unwrap()).is_err(), "{properties}");
        }
        assert!(Pricing::read("standard", json!({ "amount": "-1" }).as_object().unwrap()).is_err());
        assert!(
            Pricing::read("package", json!({ "amount": "1", "free_units": 0, "package_size": 0 }).as_object().unwrap())
                .is_err()
        );
    }

    proptest! {
        /// Unit by unit, which no formula of ours resembles.
        #[test]
        fn graduated_agrees_with_counting_units_one_by_one(units in 0u64..2_000, first in 1u64..500, second in 1u64..500, prices in [0u64..1_000, 0u64..1_000, 0u64..1_000], flats in [0u64..1_000, 0u64..1_000, 0u64..1_000]) {
            let bounds = [Some(first), Some(first + second), None];
            let starts = [0, first + 1, first + second + 1];
            let cents = |value: u64| format!("{}.{:02}", value / 100, value % 100);
            let ranges: Vec<_> = (0..3).map(|tier| json!({ "from_value": starts[tier], "to_value": bounds[tier], "per_unit_amount": cents(prices[tier]), "flat_amount": cents(flats[tier]) })).collect();
            let graduated = pricing("graduated", &json!({ "graduated_ranges": ranges }));
            let mut expected = 0;
            let mut entered = [false; 3];
            for unit in 1..=units {
                let tier = bounds.iter().position(|bound| bound.is_none_or(|last| unit <= last)).unwrap();
                if !entered[tier] {
                    entered[tier] = true;
                    expected += flats[tier];
                }
                expected += prices[tier];
            }
            prop_assert_eq!(graduated.amount(&units.into()).minor_units(2), i64::try_from(expected).ok());
        }
    }
}
