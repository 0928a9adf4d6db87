//! Whether what is over of a month has its invoice.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Where a tenant's month stands with its invoices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invoicing {
    /// None is to be made: the month is open, the tenant was not subscribed in it, or there is nothing to charge.
    #[default]
    NotDue,
    /// A final one reaches the end.
    Made,
    /// None does yet, and not for long.
    Awaited,
    /// None does, and it should have been there long ago: it was never made, is a draft, has failed, or was voided.
    Uninvoiced,
}

impl Invoicing {
    /// Of what was over at a moment, and has no final invoice.
    #[must_use]
    pub fn of_missing(end: DateTime<Utc>, now: DateTime<Utc>, within: Duration) -> Self {
        let is_late = (now - end).to_std().is_ok_and(|waited| waited >= within);
        if is_late { Self::Uninvoiced } else { Self::Awaited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_awaited_for_some_time_and_then_it_lacks() {
        let end: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let three_days = Duration::from_secs(72 * 3600);
        for (now, invoicing) in [
            ("2026-11-30T23:59:59Z", Invoicing::Awaited),
            ("2026-12-01T00:00:00Z", Invoicing::Awaited),
            ("2026-12-03T23:59:59Z", Invoicing::Awaited),
            ("2026-12-04T00:00:00Z", Invoicing::Uninvoiced),
            ("2027-06-01T00:00:00Z", Invoicing::Uninvoiced),
        ] {
            assert_eq!(Invoicing::of_missing(end, now.parse().unwrap(), three_days), invoicing, "{now}");
        }
        assert_eq!(Invoicing::of_missing(end, end, Duration::ZERO), Invoicing::Uninvoiced);
        assert_eq!(Invoicing::of_missing(end, end, Duration::MAX), Invoicing::Awaited);
    }
}
