//! `setup`: brings Lago's metrics, taxes, plans and webhook endpoint to what the catalogue says, and tells what it did.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Catalogue, Decimal, LagoClient, LagoError, TaxTerms};

mod change;
mod metrics;
mod plans;
mod usual;
mod webhook_endpoint;

pub use change::Change;

/// What setup did, in the order in which it did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub entries: Vec<Entry>,
}

/// One thing in Lago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub kind: Kind,
    /// Its code, the address of a webhook endpoint, or the tenant of an account.
    pub code: String,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Metric,
    Tax,
    Plan,
    WebhookEndpoint,
    /// A tenant's customer and subscription: tenants stand in no catalogue, so that whoever knows them adds these.
    Account,
}

impl Report {
    /// Whether Lago is as the catalogue says, and bills every account that was looked at.
    pub fn is_settled(&self) -> bool {
        let is_left = |change: &Change| matches!(change, Change::Kept(_) | Change::Ended(_) | Change::Failed(_));
        !self.entries.iter().any(|entry| is_left(&entry.change))
    }

    /// Whether something could not be made.
    pub fn has_failed(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.change, Change::Failed(_)))
    }

    /// Whether setup would do something. What a person must look at alone is nothing to do.
    pub fn has_work(&self) -> bool {
        self.entries.iter().any(|entry| entry.change.is_to_be_made())
    }

    /// Whether everything was so already.
    pub fn is_unchanged(&self) -> bool {
        self.entries.iter().all(|entry| entry.change == Change::Unchanged)
    }

    /// Adds what was seen or done last.
    pub fn add(&mut self, kind: Kind, code: &str, change: Change) {
        self.entries.push(Entry { kind, code: code.to_owned(), change });
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for entry in &self.entries {
            let kind = match entry.kind {
                Kind::Metric => "metric",
                Kind::Tax => "tax",
                Kind::Plan => "plan",
                Kind::WebhookEndpoint => "webhook endpoint",
                Kind::Account => "account",
            };
            writeln!(formatter, "{kind:<17}{:<23} {}", entry.code, entry.change)?;
        }
        Ok(())
    }
}

/// Provisions everything in the catalogue. What is in Lago besides is left alone; a second run changes nothing.
///
/// # Errors
/// Any [`LagoError`]. What was done until then stays; run it again.
pub async fn setup(client: &LagoClient, catalogue: &Catalogue) -> Result<Report, LagoError> {
    go_through(client, catalogue, Mode::Apply).await
}

/// Tells what [`setup`] would do, and changes nothing.
///
/// # Errors
/// Any [`LagoError`].
pub async fn plan(client: &LagoClient, catalogue: &Catalogue) -> Result<Report, LagoError> {
    go_through(client, catalogue, Mode::Look).await
}

/// Whether Lago is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Look,
    Apply,
}

async fn go_through(client: &LagoClient, catalogue: &Catalogue, mode: Mode) -> Result<Report, LagoError> {
    let mut report = Report::default();
    let mut metric_ids = HashMap::new();
    for metric in &catalogue.metrics {
        let (id, change) = metrics::ensure(client, *metric, mode).await?;
        metric_ids.extend(id.map(|id| (*metric, id)));
        report.add(Kind::Metric, metric.as_str(), change);
    }
    for tax in &catalogue.taxes {
        let change = ensure_tax(client, tax, mode).await?;
        report.add(Kind::Tax, &tax.code, change);
    }
    for plan in &catalogue.plans {
        let change = plans::ensure(client, plan, &metric_ids, mode).await?;
        report.add(Kind::Plan, &plan.code, change);
    }
    if let Some(url) = &catalogue.webhook_url {
        let change = webhook_endpoint::ensure(client, url, mode).await?;
        report.add(Kind::WebhookEndpoint, url, change);
    }
    Ok(report)
}

/// The outcome of an update, from what differed before and what differs after it.
fn after_update(before: Vec<String>, after: Vec<String>) -> Change {
    if after.is_empty() { Change::Updated(before) } else { Change::Kept(after) }
}

/// The fields of `wanted` that `found` lacks or has otherwise; numbers are compared as numbers, however written.
fn differing_fields(wanted: &serde_json::Value, found: &serde_json::Value) -> Vec<String> {
    let Some(wanted) = wanted.as_object() else {
        return Vec::new();
    };
    wanted.iter().filter(|(name, value)| !same(value, &found[name.as_str()])).map(|(name, _)| name.clone()).collect()
}

fn same(wanted: &serde_json::Value, found: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (wanted, found) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(_), Value::Object(_)) => differing_fields(wanted, found).is_empty(),
        _ => wanted == found || number(wanted).zip(number(found)).is_some_and(|(left, right)| left == right),
    }
}

fn number(value: &serde_json::Value) -> Option<Decimal> {
    match value {
        serde_json::Value::Number(number) => number.to_string().parse().ok(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[derive(Deserialize)]
struct TaxAnswer {
    tax: serde_json::Value,
}

/// What there is to say of something that is there and is not to be changed: because it is right, or was only looked at.
fn only_seen(differing: &[String], mode: Mode) -> Option<Change> {
    match (differing.is_empty(), mode) {
        (true, _) => Some(Change::Unchanged),
        (false, Mode::Look) => Some(Change::Differs(differing.to_vec())),
        (false, Mode::Apply) => None,
    }
}

async fn ensure_tax(client: &LagoClient, tax: &TaxTerms, mode: Mode) -> Result<Change, LagoError> {
    let wanted = json!({ "name": tax.name, "code": tax.code, "rate": tax.rate });
    let body = json!({ "tax": wanted });
    let Some(found) = client.find::<TaxAnswer>(&["taxes", &tax.code]).await? else {
        if mode == Mode::Look {
            return Ok(Change::Missing);
        }
        client.post::<_, TaxAnswer>(&["taxes"], &body).await?;
        return Ok(Change::Created);
    };
    let before = differing_fields(&wanted, &found.tax);
    if let Some(seen) = only_seen(&before, mode) {
        return Ok(seen);
    }
    let updated: TaxAnswer = client.put(&["taxes", &tax.code], &body).await?;
    Ok(after_update(before, differing_fields(&wanted, &updated.tax)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let wanted = json!({ "amount": "0.1", "free_units": 10, "ranges": [{ "to": null, "price": "2" }] });
        assert!(
            differing_fields(
                &wanted,
                &json!({ "amount": "0.100", "free_units": "10", "ranges": [{ "to": null, "price": 2.0, "x": 1 }] })
            )
            .is_empty()
        );
        assert_eq!(
            differing_fields(&wanted, &json!({ "amount": "0.11", "free_units": 10, "ranges": [] })),
            ["amount", "ranges"]
        );
    }
}
