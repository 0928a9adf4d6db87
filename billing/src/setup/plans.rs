//! Plans and their charges in Lago, held against the catalogue: everything that changes an amount.

use std::collections::HashMap;

use lago_types::models::PlanInterval;
use lago_types::requests::plan::{CreatePlanChargeInput, CreatePlanInput, CreatePlanRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::usual::{Is, Usual, is_nothing, reset, set_fields};
use super::{Change, Mode, after_update, differing_fields, only_seen};
use crate::metric::LagoMetric;
use crate::{ChargeTerms, LagoClient, LagoError, Metric, PlanTerms};

/// What would change a plan's own fee, or when it is due.
const USUAL: [Usual; 5] = [
    Usual::new("trial_period", Is::Zero),
    Usual::new("bill_charges_monthly", Is::No),
    Usual::new("minimum_commitment", Is::Nothing),
    Usual::new("usage_thresholds", Is::NoItems),
    Usual::new("fixed_charges", Is::NoItems),
];

/// What would change the price of a metric.
const USUAL_OF_CHARGE: [Usual; 5] = [
    Usual::new("invoiceable", Is::Yes),
    Usual::new("prorated", Is::No),
    Usual::new("min_amount_cents", Is::Zero),
    Usual::new("filters", Is::NoItems),
    Usual::new("applied_pricing_unit", Is::Nothing),
];

/// Read as it is: Lago may know models and intervals that its client does not.
#[derive(Deserialize)]
struct Answer {
    plan: Value,
}

pub(super) async fn ensure(
    client: &LagoClient,
    terms: &PlanTerms,
    metrics: &HashMap<Metric, String>,
    mode: Mode,
) -> Result<Change, LagoError> {
    let Some(found) = find(client, terms).await? else {
        if mode == Mode::Look {
            return Ok(Change::Missing);
        }
        let input = creation(terms, metrics)?;
        client.sdk().create_plan(CreatePlanRequest::new(input)).await?;
        return Ok(Change::Created);
    };
    let before = differences(terms, &found);
    if let Some(seen) = only_seen(&before, mode) {
        return Ok(seen);
    }
    update(client, terms, &found, metrics).await?;
    // Read back rather than taken from the answer: only what Lago kept counts.
    let updated = find(client, terms).await?;
    let updated = updated.ok_or_else(|| LagoError::Unexpected(format!("the plan {} is gone", terms.code)))?;
    Ok(after_update(before, differences(terms, &updated)))
}

async fn find(client: &LagoClient, terms: &PlanTerms) -> Result<Option<Value>, LagoError> {
    let answer: Option<Answer> = client.find(&["plans", &terms.code]).await?;
    Ok(answer.map(|answer| answer.plan))
}

fn creation(terms: &PlanTerms, metrics: &HashMap<Metric, String>) -> Result<CreatePlanInput, LagoError> {
    let charges = terms.charges.iter().map(|charge| {
        let input = CreatePlanChargeInput::new(metric_id(charge, metrics)?, charge.price.model())
            .with_invoice_display_name(charge.metric.title().to_owned())
            .with_pay_in_advance(false)
            .with_properties(charge.price.properties());
        Ok(input)
    });
    let charges = charges.collect::<Result<_, LagoError>>()?;
    let input = CreatePlanInput::new(
        terms.name.clone(),
        terms.code.clone(),
        PlanInterval::Monthly,
        terms.amount_cents,
        terms.currency.clone(),
    );
    Ok(input
        .with_description(terms.description.clone())
        .with_pay_in_advance(false)
        .with_tax_codes(terms.taxes.clone())
        .with_charges(charges))
}

/// Our own call: lago-client sends charges without their ids, and Lago would replace each by a new one.
async fn update(
    client: &LagoClient,
    terms: &PlanTerms,
    found: &Value,
    metrics: &HashMap<Metric, String>,
) -> Result<(), LagoError> {
    let charges = terms.charges.iter().map(|charge| {
        let mut body = wanted(charge);
        body["billable_metric_id"] = json!(metric_id(charge, metrics)?);
        // Its own taxes would take the place of the plan's.
        body["tax_codes"] = json!([]);
        if let Some(existing) = charges_of(found, charge.metric.as_str()).next() {
            body["id"] = existing["lago_id"].clone();
            reset(&USUAL_OF_CHARGE, existing, &mut body);
        }
        Ok(body)
    });
    let charges = charges.collect::<Result<Vec<_>, LagoError>>()?;
    let mut plan = head(terms);
    plan["tax_codes"] = json!(terms.taxes);
    plan["charges"] = json!(charges);
    reset(&USUAL, found, &mut plan);
    client.put::<_, Value>(&["plans", &terms.code], &json!({ "plan": plan })).await.map(drop)
}

fn metric_id(charge: &ChargeTerms, metrics: &HashMap<Metric, String>) -> Result<String, LagoError> {
    let found = metrics.get(&charge.metric).cloned();
    found.ok_or_else(|| LagoError::Invalid(format!("a plan charges {}, which is not in the catalogue", charge.metric)))
}

fn charges(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["charges"].as_array().into_iter().flatten()
}

fn charges_of<'a>(plan: &'a Value, metric: &'a str) -> impl Iterator<Item = &'a Value> {
    charges(plan).filter(move |charge| charge["billable_metric_code"] == metric)
}

/// The fields of the plan itself that the catalogue decides.
fn head(terms: &PlanTerms) -> Value {
    json!({
        "name": terms.name, "code": terms.code, "description": terms.description, "interval": "monthly",
        "amount_cents": terms.amount_cents, "amount_currency": terms.currency, "pay_in_advance": false,
    })
}

/// Those of a charge.
fn wanted(charge: &ChargeTerms) -> Value {
    json!({
        "charge_model": charge.price.model(),
        "invoice_display_name": charge.metric.title(),
        "pay_in_advance": false,
        "properties": charge.price.properties(),
    })
}

fn differences(terms: &PlanTerms, found: &Value) -> Vec<String> {
    let mut differing = differing_fields(&head(terms), found);
    differing.extend(set_fields(&USUAL, found));
    let mut wanted_taxes: Vec<&str> = terms.taxes.iter().map(String::as_str).collect();
    wanted_taxes.sort_unstable();
    if taxes(found) != wanted_taxes {
        differing.push("taxes".to_owned());
    }
    for charge in &terms.charges {
        let at = |field: &str| format!("charges.{}.{field}", charge.metric);
        let mut existing = charges_of(found, charge.metric.as_str());
        match (existing.next(), existing.count()) {
            (None, _) => differing.push(format!("charges.{}", charge.metric)),
            (Some(first), others) => {
                let fields = charge_differences(charge, first);
                differing.extend(fields.iter().map(|field| at(field)));
                if others > 0 {
                    // Each of them is billed.
                    differing.push(at("count"));
                }
            }
        }
    }
    let known = |code: &str| terms.charges.iter().any(|charge| charge.metric.as_str() == code);
    let codes = charges(found).filter_map(|charge| charge["billable_metric_code"].as_str());
    differing.extend(codes.filter(|code| !known(code)).map(|code| format!("charges.{code}")));
    differing
}

fn charge_differences(charge: &ChargeTerms, found: &Value) -> Vec<String> {
    let wanted = wanted(charge);
    let mut differing = differing_fields(&wanted, found);
    let own = found["properties"].as_object();
    // Groups, and whatever else a price may depend on.
    let more = |(name, value): (&String, &Value)| wanted["properties"].get(name).is_none() && !is_nothing(value);
    if own.is_some_and(|own| own.iter().any(more)) && !differing.iter().any(|field| field == "properties") {
        differing.push("properties".to_owned());
    }
    differing.extend(set_fields(&USUAL_OF_CHARGE, found));
    if !taxes(found).is_empty() {
        differing.push("taxes".to_owned());
    }
    differing
}

/// Codes of the taxes on a plan or a charge, in order.
fn taxes(found: &Value) -> Vec<&str> {
    let mut codes: Vec<&str> =
        found["taxes"].as_array().into_iter().flatten().filter_map(|tax| tax["code"].as_str()).collect();
    codes.sort_unstable();
    codes
}
