//! A ledger row as the billing system takes it.

use anyhow::Result;
use billing::{Decimal, ExternalId, UsageEvent};
use chrono::{DateTime, Utc};
use jobs::usage::Metric;
use store::usage::UsageRow;

/// A row as the billing system takes it, in the metric's own units.
///
/// # Errors
/// A metric that there is not.
pub fn event(row: &UsageRow, account: &ExternalId, billed_at: DateTime<Utc>) -> Result<UsageEvent> {
    let (code, value) = measured(&row.metric, row.units)?;
    Ok(UsageEvent {
        transaction_id: row.id.clone(),
        external_subscription_id: account.clone(),
        code,
        timestamp: billed_at.timestamp(),
        value,
        gas: row.gas.map(Into::into),
    })
}

/// What the ledger counts of a metric, in that metric's own units.
///
/// # Errors
/// A metric that there is not.
pub(crate) fn measured(metric: &str, counted: i64) -> Result<(Metric, Decimal)> {
    let metric: Metric = metric.parse().map_err(anyhow::Error::msg)?;
    Ok((metric, metric.quantity(counted).to_string().parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: &str, units: i64, gas: Option<i64>) -> UsageRow {
        UsageRow {
            id: format!("acme:{metric}:0"),
            tenant: "acme".to_owned(),
            job_id: None,
            metric: metric.to_owned(),
            units,
            gas,
            occurred_at: DateTime::UNIX_EPOCH,
            billed_at: None,
            delivered_at: None,
            dead_reason: None,
            reason: None,
        }
    }

    #[test]
    fn a_row_is_told_in_the_units_of_its_metric_and_as_of_when_it_is_billed() {
        let account = ExternalId::parse("acme").unwrap();
        let billed_at: DateTime<Utc> = "2026-11-17T12:00:00Z".parse().unwrap();
        let told = |row: &UsageRow| {
            let event = event(row, &account, billed_at).unwrap();
            assert_eq!((&event.transaction_id, &event.external_subscription_id), (&row.id, &account));
            assert_eq!(event.timestamp, billed_at.timestamp());
            (event.code, event.value.to_string(), event.gas.map(|gas| gas.to_string()))
        };
        let stored = row("storage_gb_hours", 19_758, None);
        assert_eq!(told(&stored), (Metric::StorageGbHours, "0.000019758".to_owned(), None));
        let confirmed = row("chain_confirmations", -1, Some(21_000));
        assert_eq!(told(&confirmed), (Metric::ChainConfirmations, "-1".to_owned(), Some("21000".to_owned())));
        assert!(event(&row("jobs", 1, None), &account, billed_at).is_err(), "there is no such metric");
    }
}
