//! Plans and their charges in Lago, held against the catalogue.

use std::collections::HashMap;

use lago_types::models::{Plan, PlanCharge, PlanInterval};
use lago_types::requests::plan::{CreatePlanChargeInput, CreatePlanInput, CreatePlanRequest, GetPlanRequest};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Change, Mode, after_update, differing_fields, only_seen};
use crate::metric::LagoMetric;
use crate::{ChargeTerms, ExternalId, LagoClient, LagoError, Metric, PlanTerms};

pub(super) async fn ensure(
    client: &LagoClient,
    terms: &PlanTerms,
    metrics: &HashMap<Metric, String>,
    mode: Mode,
) -> Result<Change, LagoError> {
    let code = ExternalId::parse(&terms.code)?;
    let answer = client.sdk.get_plan(GetPlanRequest::new(code.to_string())).await;
    let Some(found) = LagoError::absent_is_none(answer.map_err(LagoError::from))? else {
        if mode == Mode::Look {
            return Ok(Change::Missing);
        }
        let input = creation(terms, metrics)?;
        client.sdk.create_plan(CreatePlanRequest::new(input)).await?;
        return Ok(Change::Created);
    };
    let before = differences(terms, &found.plan)?;
    if let Some(seen) = only_seen(&before, mode) {
        return Ok(seen);
    }
    update(client, terms, &found.plan, metrics).await?;
    // Read back rather than taken from the answer: only what Lago kept counts.
    let updated = client.sdk.get_plan(GetPlanRequest::new(code.to_string())).await?;
    Ok(after_update(before, differences(terms, &updated.plan)?))
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
    found: &Plan,
    metrics: &HashMap<Metric, String>,
) -> Result<(), LagoError> {
    let charges = terms.charges.iter().map(|charge| {
        let mut body = json!({
            "billable_metric_id": metric_id(charge, metrics)?,
            "charge_model": charge.price.model(),
            "invoice_display_name": charge.metric.title(),
            "pay_in_advance": false,
            "properties": charge.price.properties(),
        });
        if let Some(id) = existing(found, charge.metric).and_then(|existing| existing.lago_id) {
            body["id"] = json!(id);
        }
        Ok(body)
    });
    let charges = charges.collect::<Result<Vec<_>, LagoError>>()?;
    let mut plan = head(terms);
    plan["tax_codes"] = json!(terms.taxes);
    plan["charges"] = json!(charges);
    client.put::<_, Value>(&["plans", &terms.code], &json!({ "plan": plan })).await.map(drop)
}

fn metric_id(charge: &ChargeTerms, metrics: &HashMap<Metric, String>) -> Result<String, LagoError> {
    let found = metrics.get(&charge.metric).cloned();
    found.ok_or_else(|| LagoError::Invalid(format!("a plan charges {}, which is not in the catalogue", charge.metric)))
}

fn existing(plan: &Plan, metric: Metric) -> Option<&PlanCharge> {
    plan.charges.iter().flatten().find(|charge| charge.billable_metric_code.as_deref() == Some(metric.as_str()))
}

/// The fields of the plan itself that the catalogue decides.
fn head(terms: &PlanTerms) -> Value {
    json!({
        "name": terms.name, "code": terms.code, "description": terms.description, "interval": "monthly",
        "amount_cents": terms.amount_cents, "amount_currency": terms.currency, "pay_in_advance": false,
    })
}

fn differences(terms: &PlanTerms, found: &Plan) -> Result<Vec<String>, LagoError> {
    let mut differing = differing_fields(&head(terms), &value(found)?);
    let mut taxes: Vec<_> = found.taxes.iter().flatten().filter_map(|tax| tax.code.clone()).collect();
    let mut wanted_taxes = terms.taxes.clone();
    taxes.sort_unstable();
    wanted_taxes.sort_unstable();
    if taxes != wanted_taxes {
        differing.push("taxes".to_owned());
    }
    for charge in &terms.charges {
        let Some(existing) = existing(found, charge.metric) else {
            differing.push(format!("charges.{}", charge.metric));
            continue;
        };
        let wanted = json!({
            "charge_model": charge.price.model(),
            "invoice_display_name": charge.metric.title(),
            "pay_in_advance": false,
            "properties": charge.price.properties(),
        });
        let fields = differing_fields(&wanted, &value(existing)?);
        differing.extend(fields.into_iter().map(|field| format!("charges.{}.{field}", charge.metric)));
    }
    let known = |code: &str| terms.charges.iter().any(|charge| charge.metric.as_str() == code);
    let extra = found
        .charges
        .iter()
        .flatten()
        .filter_map(|charge| charge.billable_metric_code.as_deref())
        .filter(|code| !known(code));
    differing.extend(extra.map(|code| format!("charges.{code}")));
    Ok(differing)
}

fn value(found: &impl Serialize) -> Result<Value, LagoError> {
    serde_json::to_value(found).map_err(|error| LagoError::Unexpected(error.to_string()))
}
