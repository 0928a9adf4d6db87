//! Current usage: the open period's events, added up and priced as Lago prices them, with taxes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::Refusal;
use super::book::Book;
use super::period::{Period, iso};
use super::records::{Aggregation, Charge, Event, Metric, Plan, Subscription};
use crate::Decimal;

/// Decimals of every currency that plans may have here.
pub(super) const MINOR_DIGITS: u32 = 2;

/// Whether taxes are added; Lago's `apply_taxes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taxes {
    Applied,
    LeftOut,
}

/// A charge's part of a period.
pub(super) struct Line<'a> {
    pub charge: &'a Charge,
    pub metric: &'a Metric,
    pub units: Decimal,
    pub events_count: usize,
    pub amount_cents: i64,
}

/// A period of a subscription, priced.
pub(super) struct Priced<'a> {
    pub plan: &'a Plan,
    pub period: Period,
    pub lines: Vec<Line<'a>>,
}

/// Prices what counts of a subscription in a period.
pub(super) fn priced<'a>(
    book: &'a Book,
    subscription: &Subscription,
    period: Period,
    now: DateTime<Utc>,
) -> Result<Priced<'a>, Refusal> {
    let plan = book.plans.get(&subscription.plan_code).ok_or(Refusal::NotFound("plan"))?;
    let is_its_own = |event: &Event| book.subscription_of(event, now).is_some_and(|of| of.id == subscription.id);
    let counted: Vec<&Event> = book
        .events_of(&subscription.external_id)
        .filter(|event| period.contains(event.timestamp) && is_its_own(event))
        .collect();
    let mut lines = plan.charges.iter().map(|charge| line(book, charge, &counted)).collect::<Result<Vec<_>, _>>()?;
    lines.sort_by_key(|line| line.metric.name.to_lowercase());
    Ok(Priced { plan, period, lines })
}

impl Priced<'_> {
    pub(super) fn amount_cents(&self) -> Result<i64, Refusal> {
        let sum = self.lines.iter().try_fold(0i64, |sum, line| sum.checked_add(line.amount_cents));
        sum.ok_or_else(too_large)
    }
}

/// Lago's `customer_usage` of one subscription.
pub(super) fn customer_usage(
    book: &Book,
    subscription: &Subscription,
    taxes: Taxes,
    now: DateTime<Utc>,
) -> Result<Value, Refusal> {
    let open = priced(book, subscription, Period::current(subscription, now), now)?;
    let amount_cents = open.amount_cents()?;
    let taxes_amount_cents = match taxes {
        Taxes::Applied => {
            let taxed =
                open.lines.iter().map(|line| (tax_codes(book, open.plan, Some(line.charge)), line.amount_cents));
            taxes_of(book, taxed)?
        }
        Taxes::LeftOut => 0,
    };
    let Priced { plan, period, lines } = open;
    Ok(json!({ "customer_usage": {
        "from_datetime": iso(period.from),
        "to_datetime": period.last_second(),
        "issuing_date": period.last_day().to_string(),
        "lago_invoice_id": null,
        "currency": plan.amount_currency,
        "amount_cents": amount_cents,
        "taxes_amount_cents": taxes_amount_cents,
        "total_amount_cents": amount_cents.checked_add(taxes_amount_cents).ok_or_else(too_large)?,
        "charges_usage": lines.iter().map(|line| line.view(plan)).collect::<Vec<_>>(),
    } }))
}

/// What a subscription's open period has used by now, taxes included, as its prepaid credits see it: each line's tax is
/// rounded by itself, and a line in another currency counts nothing.
pub(super) fn ongoing_cents(
    book: &Book,
    subscription: &Subscription,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<i64, Refusal> {
    let open = priced(book, subscription, Period::current(subscription, now), now)?;
    if open.plan.amount_currency != currency {
        return Ok(0);
    }
    open.lines.iter().try_fold(0i64, |sum, line| {
        let taxes =
            taxes_of(book, std::iter::once((tax_codes(book, open.plan, Some(line.charge)), line.amount_cents)))?;
        sum.checked_add(line.amount_cents).and_then(|sum| sum.checked_add(taxes)).ok_or_else(too_large)
    })
}

fn line<'a>(book: &'a Book, charge: &'a Charge, events: &[&Event]) -> Result<Line<'a>, Refusal> {
    let metric = book.metrics.get(&charge.metric_code).ok_or(Refusal::NotFound("billable_metric"))?;
    let of_metric = events.iter().filter(|event| event.code == metric.code);
    let field = metric.field_name.as_deref().unwrap_or_default();
    let values: Vec<Decimal> = match metric.aggregation {
        Aggregation::Count => of_metric.map(|_| Decimal::from(1u64)).collect(),
        Aggregation::Sum | Aggregation::Max => of_metric.filter_map(|event| event.number(field)).collect(),
    };
    let units = match metric.aggregation {
        Aggregation::Max => values.iter().max().cloned().unwrap_or_else(Decimal::zero),
        Aggregation::Count | Aggregation::Sum => values.iter().fold(Decimal::zero(), |sum, value| sum + value),
    };
    let units = if units.is_negative() { Decimal::zero() } else { units };
    let amount_cents = charge.pricing.amount(&units).minor_units(MINOR_DIGITS).ok_or_else(too_large)?;
    Ok(Line { charge, metric, units, events_count: values.len(), amount_cents })
}

impl Line<'_> {
    fn view(&self, plan: &Plan) -> Value {
        let units = with_fraction(&self.units);
        json!({
            "units": units,
            "total_aggregated_units": units,
            "events_count": self.events_count,
            "amount_cents": self.amount_cents,
            "amount_currency": plan.amount_currency,
            "pricing_unit_details": null,
            "charge": {
                "lago_id": self.charge.id,
                "charge_model": self.charge.pricing.model(),
                "invoice_display_name": self.charge.invoice_display_name,
            },
            "billable_metric": {
                "lago_id": self.metric.id,
                "name": self.metric.name,
                "code": self.metric.code,
                "aggregation_type": self.metric.aggregation,
            },
            "filters": [],
            "grouped_usage": [],
        })
    }
}

/// Lago writes units with at least one decimal.
pub(super) fn with_fraction(units: &Decimal) -> String {
    let text = units.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// A charge's own taxes, else its plan's, else the organisation's. Without a charge: those of the plan's own fee.
pub(super) fn tax_codes<'a>(book: &'a Book, plan: &'a Plan, charge: Option<&'a Charge>) -> BTreeSet<&'a str> {
    let own = charge.map(|charge| &charge.tax_codes).into_iter().chain([&plan.tax_codes]);
    match own.into_iter().find(|codes| !codes.is_empty()) {
        Some(codes) => codes.iter().map(String::as_str).collect(),
        None => book.taxes.values().filter(|tax| tax.applied_to_organization).map(|tax| tax.code.as_str()).collect(),
    }
}

/// Each tax on the sum of the amounts that have it, in minor units; rounded at the end.
pub(super) fn taxes_of<'a>(
    book: &Book,
    amounts: impl Iterator<Item = (BTreeSet<&'a str>, i64)>,
) -> Result<i64, Refusal> {
    let mut taxed: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (codes, amount_cents) in amounts {
        for code in codes {
            let sum = taxed.remove(code).unwrap_or_else(Decimal::zero) + &Decimal::from(amount_cents);
            taxed.insert(code, sum);
        }
    }
    let due = taxed.iter().filter_map(|(code, sum)| Some(&book.taxes.get(*code)?.rate * sum));
    let due = due.fold(Decimal::zero(), |total, tax| total + &tax.percent());
    due.minor_units(0).ok_or_else(too_large)
}

pub(super) fn too_large() -> Refusal {
    Refusal::Broken("an amount is larger than 64 bits hold".to_owned())
}
