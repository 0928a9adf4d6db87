//! `/billable_metrics`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::standin::answer::{Refusal, rooted};
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::query::{All, Listed};
use crate::standin::records::{Aggregation, Metric, Record};

const ROOT: &str = "billable_metric";

#[derive(Deserialize)]
struct Input {
    name: Option<String>,
    code: Option<String>,
    description: Option<String>,
    aggregation_type: Option<String>,
    field_name: Option<String>,
    recurring: Option<bool>,
    filters: Option<Vec<Value>>,
    expression: Option<String>,
    rounding_function: Option<String>,
}

impl Input {
    /// Features of Lago that the arithmetic here would silently ignore.
    fn refuse_the_unsupported(&self) -> Result<(), Refusal> {
        let present = [
            ("recurring metrics", self.recurring == Some(true)),
            ("metric filters", self.filters.as_ref().is_some_and(|filters| !filters.is_empty())),
            ("metric expressions", self.expression.as_ref().is_some_and(|text| !text.is_empty())),
            ("rounding of metrics", self.rounding_function.is_some()),
        ];
        match present.into_iter().find(|(_, used)| *used) {
            Some((what, _)) => Err(Refusal::NotImplemented(what.to_owned())),
            None => Ok(()),
        }
    }

    fn aggregation(&self) -> Result<Option<Aggregation>, Refusal> {
        match self.aggregation_type.as_deref() {
            None => Ok(None),
            Some("count_agg") => Ok(Some(Aggregation::Count)),
            Some("sum_agg") => Ok(Some(Aggregation::Sum)),
            Some("max_agg") => Ok(Some(Aggregation::Max)),
            Some(other @ ("unique_count_agg" | "weighted_sum_agg" | "latest_agg" | "custom_agg")) => {
                Err(Refusal::NotImplemented(format!("the aggregation {other}")))
            }
            Some(_) => Err(Refusal::field("aggregation_type", "value_is_invalid")),
        }
    }
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    let aggregation = input.aggregation()?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let name = required(&mut errors, "name", input.name);
            let code = required(&mut errors, "code", input.code);
            if book.metrics.contains_key(&code) {
                errors.insert("code".to_owned(), json!(["value_already_exist"]));
            }
            let field_missing = input.field_name.as_ref().is_none_or(String::is_empty);
            if field_missing && aggregation.is_some_and(|kind| kind != Aggregation::Count) {
                errors.insert("field_name".to_owned(), json!(["value_is_mandatory"]));
            }
            let (Some(aggregation), true) = (aggregation, errors.is_empty()) else {
                if aggregation.is_none() {
                    errors.insert("aggregation_type".to_owned(), json!(["value_is_invalid"]));
                }
                return Err(Refusal::Invalid(errors));
            };
            let metric = Metric {
                id: Uuid::now_v7(),
                code,
                name,
                description: input.description,
                aggregation,
                field_name: input.field_name,
                created_at: now,
            };
            let answer = json!({ ROOT: view(&metric) });
            Ok((vec![Record::Metric(metric)], answer))
        })
        .await
}

/// Once a subscription depends on a metric, Lago changes its name and description only.
pub(super) async fn update(State(keeper): State<Keeper>, Path(code): Path<String>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    let aggregation = input.aggregation()?;
    keeper
        .change(move |book, _| {
            let mut metric = book.metrics.get(&code).cloned().ok_or(Refusal::NotFound(ROOT))?;
            metric.name = input.name.unwrap_or(metric.name);
            metric.description = input.description.or(metric.description);
            if !book.metric_is_used(metric.id) {
                metric.aggregation = aggregation.unwrap_or(metric.aggregation);
                metric.field_name = input.field_name.or(metric.field_name);
                if input.code.is_some_and(|code| code != metric.code) {
                    return Err(Refusal::NotImplemented("renaming a metric".to_owned()));
                }
            }
            let answer = json!({ ROOT: view(&metric) });
            Ok((vec![Record::Metric(metric)], answer))
        })
        .await
}

/// With its charges, and with the events of the subscriptions that it charged, whose ids stay taken.
pub(super) async fn destroy(State(keeper): State<Keeper>, Path(code): Path<String>) -> Answer {
    keeper
        .change(move |book, _| {
            let metric = book.metrics.get(&code).ok_or(Refusal::NotFound(ROOT))?;
            Ok((vec![Record::MetricGone(metric.code.clone())], json!({ ROOT: view(metric) })))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(code): Path<String>) -> Answer {
    keeper.read(move |book, _| Ok(json!({ ROOT: view(book.metrics.get(&code).ok_or(Refusal::NotFound(ROOT))?) }))).await
}

pub(super) async fn list(State(keeper): State<Keeper>, Listed { paging, .. }: Listed<All>) -> Answer {
    keeper.read(move |book, _| Ok(paging.answer("billable_metrics", book.metrics.values().map(view).collect()))).await
}

/// The text, or an empty one and Lago's complaint.
pub(super) fn required(errors: &mut Map<String, Value>, name: &str, value: Option<String>) -> String {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        errors.insert(name.to_owned(), json!(["value_is_mandatory"]));
    }
    value
}

pub(in crate::standin) fn view(metric: &Metric) -> Value {
    json!({
        "lago_id": metric.id,
        "name": metric.name,
        "code": metric.code,
        "description": metric.description,
        "aggregation_type": metric.aggregation,
        "weighted_interval": null,
        "recurring": false,
        "rounding_function": null,
        "rounding_precision": null,
        "created_at": iso(metric.created_at),
        "field_name": metric.field_name,
        "expression": null,
        "filters": [],
    })
}
