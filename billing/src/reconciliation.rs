//! Reconciliation: what the ledger says was used against what Lago received, and what Lago bills, by metric.
//!
//! Pure arithmetic over what was read; nothing here asks anybody. Three questions, each of which can go wrong alone: is
//! each row one event of the same content (by id), do the events add up to the ledger, does Lago bill what it received.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Decimal, Metric, RecordedEvent};

/// A row of the ledger, in the metric's own units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    pub id: String,
    pub metric: Metric,
    pub units: Decimal,
    /// When it is billed, in Unix seconds.
    pub timestamp: i64,
    pub state: RowState,
}

/// Where a row's delivery stands, as far as the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Lago took it.
    Delivered,
    /// It was or will be sent.
    Waiting,
    /// It is never to be billed: refused for good, or taken back.
    Out,
}

/// What Lago bills of a period: its open one's current usage, or the invoices of one that is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    pub units: BTreeMap<String, Decimal>,
    /// When Lago made the period's invoice, in Unix seconds: what it received later is billed by none.
    pub closed_at: Option<i64>,
}

/// One metric of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The metric's code, or a code that Lago has and we do not know.
    pub metric: String,
    /// Units of the ledger that are to be billed in the period.
    pub ledger: Decimal,
    /// Of them, those that wait for their delivery.
    pub waiting: Decimal,
    /// Units of the events that Lago has.
    pub events: Decimal,
    /// Units that Lago bills.
    pub billed: Decimal,
    /// Rows that were delivered and that Lago has not.
    pub missing: Vec<String>,
    /// Events under ids that the ledger has not, or not to be billed.
    pub foreign: Vec<String>,
    /// Events whose metric or units are not the row's.
    pub differing: Vec<String>,
    /// Events that came after their period's invoice, and are billed by none.
    pub too_late: Vec<String>,
}

impl Line {
    /// Whether ledger and Lago disagree. What waits is no drift: it is on its way.
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        let named =
            [&self.missing, &self.foreign, &self.differing, &self.too_late].into_iter().any(|ids| !ids.is_empty());
        named || self.ledger.clone() - &self.waiting != self.events || self.events != self.billed
    }
}

/// Compares a tenant's period: a line for each metric of which anybody knows anything.
#[must_use]
pub fn compare(rows: &[LedgerRow], events: &[RecordedEvent], billed: &Billed) -> Vec<Line> {
    let by_id: BTreeMap<&str, &LedgerRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let received: BTreeSet<&str> = events.iter().map(|event| event.transaction_id.as_str()).collect();
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != RowState::Out) {
        let line = line(&mut lines, row.metric.as_str());
        line.ledger = take(&mut line.ledger) + &row.units;
        match (row.state, received.contains(row.id.as_str())) {
            (_, true) | (RowState::Out, _) => {}
            (RowState::Waiting, false) => line.waiting = take(&mut line.waiting) + &row.units,
            (RowState::Delivered, false) => line.missing.push(row.id.clone()),
        }
    }
    for event in events {
        let row = by_id.get(event.transaction_id.as_str());
        let is_late = billed.closed_at.is_some_and(|closed| event.received_at.timestamp() > closed);
        // Lago has it and bills it nowhere, which is why the ledger took it back.
        if is_late && row.is_some_and(|row| row.state == RowState::Out) {
            continue;
        }
        let line = line(&mut lines, &event.code);
        let units = event.value.clone().unwrap_or_else(Decimal::zero);
        line.events = take(&mut line.events) + &units;
        let id = event.transaction_id.clone();
        match row {
            None => line.foreign.push(id),
            Some(row) if row.state == RowState::Out => line.foreign.push(id),
            Some(row) if row.metric.as_str() != event.code || row.units != units => line.differing.push(id),
            Some(row) if row.timestamp != event.timestamp.timestamp() => line.differing.push(id),
            Some(_) if is_late => line.too_late.push(id),
            Some(_) => {}
        }
    }
    for (metric, units) in &billed.units {
        line(&mut lines, metric).billed = units.clone();
    }
    lines.into_values().collect()
}

fn line<'a>(lines: &'a mut BTreeMap<String, Line>, metric: &str) -> &'a mut Line {
    lines.entry(metric.to_owned()).or_insert_with(|| Line {
        metric: metric.to_owned(),
        ledger: Decimal::zero(),
        waiting: Decimal::zero(),
        events: Decimal::zero(),
        billed: Decimal::zero(),
        missing: Vec::new(),
        foreign: Vec::new(),
        differing: Vec::new(),
        too_late: Vec::new(),
    })
}

fn take(sum: &mut Decimal) -> Decimal {
    std::mem::replace(sum, Decimal::zero())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const SECOND: i64 = 1_790_000_000;

    fn row(id: &str, units: u64, state: RowState) -> LedgerRow {
        LedgerRow { id: id.to_owned(), metric: Metric::ComputeUnits, units: units.into(), timestamp: SECOND, state }
    }

    fn event(id: &str, units: u64) -> RecordedEvent {
        RecordedEvent {
            transaction_id: id.to_owned(),
            external_subscription_id: Some("acme".to_owned()),
            code: "compute_units".to_owned(),
            timestamp: DateTime::from_timestamp(SECOND, 0).unwrap(),
            value: Some(units.into()),
            received_at: DateTime::from_timestamp(SECOND + 5, 0).unwrap(),
        }
    }

    fn billed(units: u64) -> Billed {
        Billed { units: BTreeMap::from([("compute_units".to_owned(), units.into())]), closed_at: None }
    }

    fn only(rows: &[LedgerRow], events: &[RecordedEvent], billed: &Billed) -> Line {
        let mut lines = compare(rows, events, billed);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    #[test]
    fn what_agrees_is_no_drift_and_neither_is_what_waits() {
        let rows = [row("a", 3, RowState::Delivered), row("b", 4, RowState::Waiting), row("c", 9, RowState::Out)];
        assert!(!only(&rows, &[event("a", 3)], &billed(3)).has_drifted());
        // Taken, and the answer was lost.
        assert!(!only(&rows, &[event("a", 3), event("b", 4)], &billed(7)).has_drifted());
        assert_eq!(compare(&[], &[], &Billed::default()), []);
    }

    #[test]
    fn each_disagreement_is_named() {
        let rows = [row("a", 3, RowState::Delivered), row("b", 4, RowState::Delivered)];
        let missing = only(&rows, &[event("a", 3)], &billed(3));
        assert!(missing.has_drifted() && missing.missing == ["b"], "{missing:?}");
        let foreign = only(&rows[..1], &[event("a", 3), event("x", 1)], &billed(4));
        assert!(foreign.has_drifted() && foreign.foreign == ["x"], "{foreign:?}");
        let dead = only(&[row("a", 3, RowState::Out)], &[event("a", 3)], &billed(3));
        assert!(dead.has_drifted() && dead.foreign == ["a"], "{dead:?}");
        let differing = only(&rows, &[event("a", 3), event("b", 5)], &billed(8));
        assert!(differing.has_drifted() && differing.differing == ["b"], "{differing:?}");
        let elsewhen = RecordedEvent { timestamp: DateTime::from_timestamp(SECOND + 1, 0).unwrap(), ..event("b", 4) };
        assert_eq!(only(&rows, &[event("a", 3), elsewhen], &billed(7)).differing, ["b"]);
        let unbilled = only(&rows, &[event("a", 3), event("b", 4)], &billed(6));
        assert!(unbilled.has_drifted(), "{unbilled:?}");
        let other = RecordedEvent { code: "nobody_knows".to_owned(), ..event("x", 1) };
        let lines = compare(&rows, &[event("a", 3), event("b", 4), other], &billed(7));
        assert_eq!(
            lines.iter().filter(|line| line.has_drifted()).map(|line| line.metric.as_str()).collect::<Vec<_>>(),
            ["nobody_knows"]
        );
    }

    #[test]
    fn what_came_after_the_invoice_is_billed_by_none_unless_it_was_taken_back() {
        let closed = Billed { closed_at: Some(SECOND + 1), ..billed(0) };
        let late = only(&[row("a", 3, RowState::Delivered)], &[event("a", 3)], &closed);
        assert!(late.has_drifted() && late.too_late == ["a"], "{late:?}");
        assert!(!only(&[row("a", 3, RowState::Out)], &[event("a", 3)], &closed).has_drifted());
    }
}
