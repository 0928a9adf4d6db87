//! Metrics in Lago, held against the catalogue.

use lago_types::requests::billable_metric::{CreateBillableMetricInput, CreateBillableMetricRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::usual::{Is, Usual, reset, set_fields};
use super::{Change, Mode, after_update, differing_fields, only_seen};
use crate::metric::{FIELD, LagoMetric, Metric};
use crate::{LagoClient, LagoError};

/// What would make other units of the same events.
const USUAL: [Usual; 3] = [
    Usual::new("rounding_function", Is::Nothing),
    Usual::new("expression", Is::Nothing),
    Usual::new("filters", Is::NoItems),
];

/// Read as it is: Lago may know aggregations that its client does not.
#[derive(Deserialize)]
struct Answer {
    billable_metric: Value,
}

impl LagoClient {
    /// Whether there is such a metric. Lago takes events of others, too, and bills them never.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn has_metric(&self, metric: Metric) -> Result<bool, LagoError> {
        Ok(self.find::<Answer>(&["billable_metrics", metric.as_str()]).await?.is_some())
    }
}

/// The metric's id, unless it is missing and stays so.
pub(super) async fn ensure(
    client: &LagoClient,
    metric: Metric,
    mode: Mode,
) -> Result<(Option<String>, Change), LagoError> {
    let path = ["billable_metrics", metric.as_str()];
    let Some(Answer { billable_metric: found }) = client.find::<Answer>(&path).await? else {
        if mode == Mode::Look {
            return Ok((None, Change::Missing));
        }
        let input =
            CreateBillableMetricInput::new(metric.title().to_owned(), metric.as_str().to_owned(), metric.aggregation())
                .with_description(metric.description().to_owned())
                .with_recurring(false)
                .with_field_name(FIELD.to_owned());
        let created = client.sdk().create_billable_metric(CreateBillableMetricRequest::new(input)).await?;
        return Ok((Some(created.billable_metric.lago_id.to_string()), Change::Created));
    };
    let id = found["lago_id"].as_str().map(str::to_owned);
    let id = id.ok_or_else(|| LagoError::Unexpected(format!("the metric {metric} has no id")))?;
    let before = differences(metric, &found);
    if let Some(seen) = only_seen(&before, mode) {
        return Ok((Some(id), seen));
    }
    let mut body = wanted(metric);
    reset(&USUAL, &found, &mut body);
    let updated: Answer = client.put(&path, &json!({ "billable_metric": body })).await?;
    Ok((Some(id), after_update(before, differences(metric, &updated.billable_metric))))
}

fn wanted(metric: Metric) -> Value {
    json!({
        "name": metric.title(), "description": metric.description(), "recurring": false,
        "aggregation_type": metric.aggregation(), "field_name": FIELD,
    })
}

fn differences(metric: Metric, found: &Value) -> Vec<String> {
    let mut differing = differing_fields(&wanted(metric), found);
    differing.extend(set_fields(&USUAL, found));
    differing
}
