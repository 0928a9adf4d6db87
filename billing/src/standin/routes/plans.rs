//! `/plans` with their charges.

use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};
use uuid::Uuid;

use super::metrics::required;
use super::{taxes, unknown_to};
use crate::Decimal;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::pricing::Pricing;
use crate::standin::query::{All, Listed};
use crate::standin::records::{Charge, Plan, Record};

const ROOT: &str = "plan";
/// Currencies with two decimals; amounts in others would be computed wrongly here.
pub(super) const CURRENCIES: [&str; 6] = ["AUD", "CAD", "CHF", "EUR", "GBP", "USD"];

#[derive(Deserialize)]
struct Input {
    name: Option<String>,
    code: Option<String>,
    invoice_display_name: Option<String>,
    description: Option<String>,
    interval: Option<String>,
    amount_cents: Option<i64>,
    amount_currency: Option<String>,
    pay_in_advance: Option<bool>,
    /// In days.
    trial_period: Option<Number>,
    bill_charges_monthly: Option<bool>,
    tax_codes: Option<Vec<String>>,
    charges: Option<Vec<ChargeInput>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct ChargeInput {
    id: Option<Uuid>,
    billable_metric_id: Option<Uuid>,
    charge_model: Option<String>,
    invoice_display_name: Option<String>,
    pay_in_advance: Option<bool>,
    prorated: Option<bool>,
    min_amount_cents: Option<i64>,
    filters: Option<Vec<Value>>,
    invoiceable: Option<bool>,
    applied_pricing_unit: Option<Value>,
    properties: Option<Map<String, Value>>,
    tax_codes: Option<Vec<String>>,
}

impl Input {
    fn refuse_the_unsupported(&self) -> Result<(), Refusal> {
        unknown_to("plans", &["minimum_commitment", "usage_thresholds", "fixed_charges"], &self.rest)?;
        let is_none = |days: &Number| days.to_string().parse::<Decimal>().is_ok_and(|days| days.is_zero());
        if self.trial_period.as_ref().is_some_and(|days| !is_none(days)) || self.bill_charges_monthly == Some(true) {
            return Err(Refusal::NotImplemented("a plan with a trial, or charges apart from its fee".to_owned()));
        }
        if self.interval.as_deref().is_some_and(|interval| interval != "monthly") {
            return Err(Refusal::NotImplemented("an interval other than monthly".to_owned()));
        }
        if self.amount_currency.as_deref().is_some_and(|code| !CURRENCIES.contains(&code)) {
            return Err(Refusal::NotImplemented("this currency".to_owned()));
        }
        let unpriced = |charge: &ChargeInput| {
            charge.pay_in_advance == Some(true)
                || charge.prorated == Some(true)
                || charge.invoiceable == Some(false)
                || charge.applied_pricing_unit.as_ref().is_some_and(|unit| !unit.is_null())
                || charge.properties.as_ref().is_some_and(is_grouped)
                || charge.min_amount_cents.is_some_and(|cents| cents != 0)
                || charge.filters.as_ref().is_some_and(|filters| !filters.is_empty())
        };
        if self.charges.iter().flatten().any(unpriced) {
            let what =
                "a charge with filters, groups, a minimum or units of its own, in advance, prorated or not invoiced";
            return Err(Refusal::NotImplemented(what.to_owned()));
        }
        Ok(())
    }
}

impl ChargeInput {
    fn charge(
        self,
        book: &Book,
        known: Option<&Charge>,
        plan_is_used: bool,
        now: DateTime<Utc>,
    ) -> Result<Charge, Refusal> {
        let id = self.billable_metric_id.or(known.map(|charge| charge.metric_id));
        let metric =
            book.metrics.values().find(|metric| Some(metric.id) == id).ok_or(Refusal::NotFound("billable_metrics"))?;
        let sent = self.charge_model.as_deref();
        let kept = known.map(|charge| charge.pricing.model());
        let model = if plan_is_used { kept.or(sent) } else { sent.or(kept) };
        let model = model.ok_or_else(|| Refusal::field("charge_model", "value_is_mandatory"))?;
        let pricing = Pricing::read(model, &self.properties.unwrap_or_default())?;
        Ok(Charge {
            id: known.map_or_else(Uuid::now_v7, |charge| charge.id),
            metric_id: metric.id,
            metric_code: metric.code.clone(),
            invoice_display_name: self.invoice_display_name,
            pricing,
            tax_codes: known_taxes(
                book,
                self.tax_codes.unwrap_or_else(|| known.map_or_else(Vec::new, |charge| charge.tax_codes.clone())),
            )?,
            created_at: known.map_or(now, |charge| charge.created_at),
        })
    }
}

fn is_grouped(properties: &Map<String, Value>) -> bool {
    let mut keys = ["pricing_group_keys", "grouped_by"].into_iter().filter_map(|name| properties.get(name)?.as_array());
    keys.any(|keys| !keys.is_empty())
}

fn known_taxes(book: &Book, codes: Vec<String>) -> Result<Vec<String>, Refusal> {
    if codes.iter().all(|code| book.taxes.contains_key(code)) { Ok(codes) } else { Err(Refusal::NotFound("tax")) }
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let name = required(&mut errors, "name", input.name);
            let code = required(&mut errors, "code", input.code);
            let currency = required(&mut errors, "amount_currency", input.amount_currency);
            if input.interval.is_none() {
                errors.insert("interval".to_owned(), json!(["value_is_invalid"]));
            }
            if book.plans.contains_key(&code) {
                errors.insert("code".to_owned(), json!(["value_already_exist"]));
            }
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
            let charges =
                input.charges.unwrap_or_default().into_iter().map(|charge| charge.charge(book, None, false, now));
            let plan = Plan {
                id: Uuid::now_v7(),
                code,
                name,
                invoice_display_name: input.invoice_display_name,
                description: input.description,
                amount_cents: input.amount_cents.unwrap_or(0),
                amount_currency: currency,
                pay_in_advance: input.pay_in_advance.unwrap_or(false),
                tax_codes: known_taxes(book, input.tax_codes.unwrap_or_default())?,
                charges: charges.collect::<Result<_, _>>()?,
                created_at: now,
            };
            let answer = json!({ ROOT: view(book, &plan, now) });
            Ok((vec![Record::Plan(plan)], answer))
        })
        .await
}

/// Charges that are sent without an id replace the known ones; a plan in use keeps its currency and its models.
pub(super) async fn update(State(keeper): State<Keeper>, Path(code): Path<String>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    keeper
        .change(move |book, now| {
            let mut plan = book.plans.get(&code).cloned().ok_or(Refusal::NotFound(ROOT))?;
            let used = book.plan_is_used(&plan.code);
            if !used && input.code.is_some_and(|code| code != plan.code) {
                return Err(Refusal::NotImplemented("renaming a plan".to_owned()));
            }
            plan.name = input.name.unwrap_or(plan.name);
            plan.invoice_display_name = input.invoice_display_name.or(plan.invoice_display_name);
            plan.description = input.description.or(plan.description);
            plan.amount_cents = input.amount_cents.unwrap_or(plan.amount_cents);
            if !used {
                plan.pay_in_advance = input.pay_in_advance.unwrap_or(plan.pay_in_advance);
                plan.amount_currency = input.amount_currency.unwrap_or(plan.amount_currency);
            }
            if let Some(codes) = input.tax_codes {
                plan.tax_codes = known_taxes(book, codes)?;
            }
            if let Some(charges) = input.charges {
                let known = |id: Option<Uuid>| plan.charges.iter().find(|charge| Some(charge.id) == id);
                let charges = charges.into_iter().map(|charge| {
                    let known = known(charge.id);
                    charge.charge(book, known, used, now)
                });
                plan.charges = charges.collect::<Result<_, _>>()?;
            }
            let answer = json!({ ROOT: view(book, &plan, now) });
            Ok((vec![Record::Plan(plan)], answer))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(code): Path<String>) -> Answer {
    keeper
        .read(move |book, now| {
            Ok(json!({ ROOT: view(book, book.plans.get(&code).ok_or(Refusal::NotFound(ROOT))?, now) }))
        })
        .await
}

pub(super) async fn list(State(keeper): State<Keeper>, Listed { paging, .. }: Listed<All>) -> Answer {
    keeper
        .read(move |book, now| {
            Ok(paging.answer("plans", book.plans.values().map(|plan| view(book, plan, now)).collect()))
        })
        .await
}

pub(in crate::standin) fn view(book: &Book, plan: &Plan, now: DateTime<Utc>) -> Value {
    let active = book
        .subscriptions
        .iter()
        .filter(|subscription| subscription.plan_code == plan.code && subscription.is_active(now));
    json!({
        "lago_id": plan.id,
        "name": plan.name,
        "invoice_display_name": plan.invoice_display_name,
        "created_at": iso(plan.created_at),
        "code": plan.code,
        "interval": "monthly",
        "description": plan.description,
        "amount_cents": plan.amount_cents,
        "amount_currency": plan.amount_currency,
        "trial_period": null,
        "pay_in_advance": plan.pay_in_advance,
        "bill_charges_monthly": null,
        "customers_count": 0,
        "active_subscriptions_count": active.count(),
        "draft_invoices_count": 0,
        "parent_id": null,
        "charges": plan.charges.iter().map(|charge| charge_view(book, charge)).collect::<Vec<_>>(),
        "fixed_charges": [],
        "taxes": tax_views(book, &plan.tax_codes),
        "usage_thresholds": [],
    })
}

fn charge_view(book: &Book, charge: &Charge) -> Value {
    json!({
        "lago_id": charge.id,
        "lago_billable_metric_id": charge.metric_id,
        "billable_metric_code": charge.metric_code,
        "code": charge.metric_code,
        "invoice_display_name": charge.invoice_display_name,
        "created_at": iso(charge.created_at),
        "charge_model": charge.pricing.model(),
        "invoiceable": true,
        "regroup_paid_fees": null,
        "pay_in_advance": false,
        "prorated": false,
        "min_amount_cents": 0,
        "properties": charge.pricing.properties(),
        "applied_pricing_unit": null,
        "lago_parent_id": null,
        "filters": [],
        "taxes": tax_views(book, &charge.tax_codes),
    })
}

fn tax_views(book: &Book, codes: &[String]) -> Vec<Value> {
    codes.iter().filter_map(|code| book.taxes.get(code)).map(taxes::view).collect()
}
