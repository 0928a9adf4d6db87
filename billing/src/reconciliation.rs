//! Reconciliation: what the ledger says was used against what Lago received, and what Lago bills, by metric.
//!
//! Pure arithmetic over what was read; nothing here asks anybody. Six questions, each of which can go wrong alone: is
//! each row one event of the same content (by id), do the events add up to the ledger, does Lago bill what it received,
//! at the prices of our list, is what is over on a final invoice, and is nothing left out of all that: no row waits for
//! too long, and none was refused for good.

mod amounts;
mod closed;
mod invoicing;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Decimal, Metric, RecordedEvent};

pub use amounts::{PricedOtherwise, priced_otherwise};
pub use closed::{Closed, charged, reach};
pub use invoicing::Invoicing;
pub use parts::{Lacking, cover, lacking};

/// A row of the ledger, in the metric's own units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    pub id: String,
    pub metric: Metric,
    pub units: Decimal,
    /// When it is billed, in Unix seconds; `None` of one that was never sent, which no period has yet.
    pub timestamp: Option<i64>,
    pub state: RowState,
}

/// Where a row's delivery stands, as far as the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Lago took it.
    Delivered,
    /// It was or will be sent.
    Waiting,
    /// It should have been sent long ago.
    Overdue,
    /// Lago refused it for good, and nobody has acted yet: a dead letter.
    Refused,
    /// It is never to be billed: taken back, or used in a sandbox.
    Out,
}

impl RowState {
    /// Whether Lago is to have it.
    fn is_billable(self) -> bool {
        matches!(self, Self::Delivered | Self::Waiting | Self::Overdue)
    }
}

/// What Lago bills of a period: its open part's current usage, and invoices of what is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// By metric, asked after the events were read; `None` while an invoice of a period that is over is still to be made.
    pub units: Option<BTreeMap<String, Decimal>>,
    /// The same, asked before the events were read: what arrived meanwhile is in one of the two.
    pub units_before: Option<BTreeMap<String, Decimal>>,
    pub closed: Vec<Closed>,
    /// Whether what is over has its invoice.
    pub invoice: Invoicing,
    /// Lines of final invoices that cost something else than the price list says.
    pub priced_otherwise: Vec<PricedOtherwise>,
}

/// One metric of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The metric's code, or a code that Lago has and we do not know; the plan's where its monthly fee is priced otherwise.
    pub metric: String,
    /// Units of the ledger that are to be billed in the period.
    pub ledger: Decimal,
    /// Of them, those that wait for their delivery.
    pub waiting: Decimal,
    /// Units of the events that Lago has.
    pub events: Decimal,
    /// Units that Lago bills; null while the period's invoice is still to be made.
    pub billed: Option<Decimal>,
    /// The same, before the events were read.
    #[serde(skip)]
    pub billed_before: Option<Decimal>,
    /// Rows that were delivered and that Lago has not.
    pub missing: Vec<String>,
    /// Events under ids that the ledger has not, or not to be billed.
    pub foreign: Vec<String>,
    /// Events whose metric or units are not the row's.
    pub differing: Vec<String>,
    /// Events that came after their period's invoice, and are billed by none.
    pub too_late: Vec<String>,
    /// Rows that wait for too long, and that Lago has not.
    pub overdue: Vec<String>,
    /// Rows that Lago refused for good.
    pub dead_letters: Vec<String>,
    /// Where an invoice has it at another price than the list.
    pub priced_otherwise: Vec<PricedOtherwise>,
}

impl Line {
    /// Whether ledger and Lago disagree. What waits, and not for long, is no drift: it is on its way. Where corrections take
    /// back more than there is, Lago bills nothing.
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        let Self { missing, foreign, differing, too_late, overdue, dead_letters, .. } = self;
        let named = [missing, foreign, differing, too_late, overdue, dead_letters].iter().any(|ids| !ids.is_empty());
        let due = at_least_nothing(self.events.clone());
        let is_billed = match (&self.billed_before, &self.billed) {
            (Some(before), Some(after)) => before.min(after) <= &due && &due <= before.max(after),
            _ => true,
        };
        named || !self.priced_otherwise.is_empty() || self.ledger.clone() - &self.waiting != self.events || !is_billed
    }
}

/// Compares a tenant's period: a line for each metric of which anybody knows anything.
#[must_use]
pub fn compare(rows: &[LedgerRow], events: &[RecordedEvent], billed: &Billed) -> Vec<Line> {
    let by_id: BTreeMap<&str, &LedgerRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let received: BTreeSet<&str> = events.iter().map(|event| event.transaction_id.as_str()).collect();
    let late: BTreeSet<&str> = billed.closed.iter().flat_map(|closed| closed.left_out(events)).collect();
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != RowState::Out) {
        let line = line(&mut lines, row.metric.as_str(), billed);
        let is_billed = row.state.is_billable() && row.timestamp.is_some();
        if is_billed {
            line.ledger = take(&mut line.ledger) + &row.units;
        }
        let is_received = received.contains(row.id.as_str());
        if is_billed && !is_received && row.state != RowState::Delivered {
            line.waiting = take(&mut line.waiting) + &row.units;
        }
        match row.state {
            RowState::Refused => line.dead_letters.push(row.id.clone()),
            RowState::Delivered if !is_received => line.missing.push(row.id.clone()),
            RowState::Overdue if !is_received => line.overdue.push(row.id.clone()),
            _ => {}
        }
    }
    for event in events {
        let row = by_id.get(event.transaction_id.as_str());
        let is_late = late.contains(event.transaction_id.as_str());
        // Lago has it and bills it nowhere, which is why the ledger took it back.
        if is_late && row.is_some_and(|row| !row.state.is_billable()) {
            continue;
        }
        let line = line(&mut lines, &event.code, billed);
        let units = event.value.clone().unwrap_or_else(Decimal::zero);
        line.events = take(&mut line.events) + &units;
        let id = event.transaction_id.clone();
        match row {
            None => line.foreign.push(id),
            Some(row) if !row.state.is_billable() => line.foreign.push(id),
            Some(row) if row.metric.as_str() != event.code || row.units != units => line.differing.push(id),
            Some(row) if row.timestamp != Some(event.timestamp.timestamp()) => line.differing.push(id),
            Some(_) if is_late => line.too_late.push(id),
            Some(_) => {}
        }
    }
    for metric in billed.units.iter().flat_map(BTreeMap::keys) {
        line(&mut lines, metric, billed);
    }
    for priced in &billed.priced_otherwise {
        line(&mut lines, &priced.code, billed).priced_otherwise.push(priced.clone());
    }
    lines.into_values().collect()
}

fn line<'a>(lines: &'a mut BTreeMap<String, Line>, metric: &str, billed: &Billed) -> &'a mut Line {
    let of = |units: &Option<BTreeMap<String, Decimal>>| {
        units.as_ref().map(|units| units.get(metric).cloned().unwrap_or_else(Decimal::zero))
    };
    lines.entry(metric.to_owned()).or_insert_with(|| Line {
        metric: metric.to_owned(),
        ledger: Decimal::zero(),
        waiting: Decimal::zero(),
        events: Decimal::zero(),
        billed: of(&billed.units),
        billed_before: of(&billed.units_before),
        missing: Vec::new(),
        foreign: Vec::new(),
        differing: Vec::new(),
        too_late: Vec::new(),
        overdue: Vec::new(),
        dead_letters: Vec::new(),
        priced_otherwise: Vec::new(),
    })
}

/// A sum as Lago bills it: less than nothing is nothing.
fn at_least_nothing(sum: Decimal) -> Decimal {
    sum.max(Decimal::zero())
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
        let timestamp = Some(SECOND);
        LedgerRow { id: id.to_owned(), metric: Metric::ComputeUnits, units: units.into(), timestamp, state }
    }

    fn never_sent(id: &str, state: RowState) -> LedgerRow {
        LedgerRow { timestamp: None, ..row(id, 5, state) }
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
        let units = Some(BTreeMap::from([("compute_units".to_owned(), units.into())]));
        Billed { units_before: units.clone(), units, ..Billed::default() }
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
        // Something arrives while the books are read.
        let busy = Billed { units: billed(9).units, ..billed(1) };
        assert!(!only(&rows, &[event("a", 3)], &busy).has_drifted());
        let beyond = Billed { units: billed(2).units, ..billed(1) };
        assert!(only(&rows, &[event("a", 3)], &beyond).has_drifted());
    }

    #[test]
    fn each_disagreement_is_named() {
        let rows = [row("a", 3, RowState::Delivered), row("b", 4, RowState::Delivered)];
        let missing = only(&rows, &[event("a", 3)], &billed(3));
        assert!(missing.has_drifted() && missing.missing == ["b"], "{missing:?}");
        let foreign = only(&rows[..1], &[event("a", 3), event("x", 1)], &billed(4));
        assert!(foreign.has_drifted() && foreign.foreign == ["x"], "{foreign:?}");
        for state in [RowState::Out, RowState::Refused] {
            let dead = only(&[row("a", 3, state)], &[event("a", 3)], &billed(3));
            assert!(dead.has_drifted() && dead.foreign == ["a"], "{dead:?}");
        }
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
        let stretch = Closed { first: SECOND - 9, last: SECOND, at: SECOND + 1, units: None };
        let closed = Billed { closed: vec![stretch.clone()], ..billed(0) };
        let late = only(&[row("a", 3, RowState::Delivered)], &[event("a", 3)], &closed);
        assert!(late.has_drifted() && late.too_late == ["a"], "{late:?}");
        assert!(!only(&[row("a", 3, RowState::Out)], &[event("a", 3)], &closed).has_drifted());
        let before = Billed { closed: vec![Closed { last: SECOND - 1, ..stretch.clone() }], ..billed(3) };
        assert!(!only(&[row("a", 3, RowState::Delivered)], &[event("a", 3)], &before).has_drifted());
        let in_time = Billed { closed: vec![Closed { at: SECOND + 5, ..stretch }], ..billed(3) };
        assert!(!only(&[row("a", 3, RowState::Delivered)], &[event("a", 3)], &in_time).has_drifted());
    }

    #[test]
    fn where_more_is_taken_back_than_there_is_lago_bills_nothing() {
        let taken_back = |units: i64| {
            let row = LedgerRow { units: units.into(), ..row("a:0.1", 0, RowState::Delivered) };
            let event = RecordedEvent { value: Some(units.into()), ..event("a:0.1", 0) };
            ([row], [event])
        };
        let (rows, events) = taken_back(-5);
        let line = only(&rows, &events, &billed(0));
        assert!(!line.has_drifted() && line.events == Decimal::from(-5i64), "{line:?}");
        assert!(only(&rows, &events, &billed(1)).has_drifted());
        assert!(only(&rows, &[], &billed(0)).has_drifted(), "Lago lacks it");
    }

    /// Books that agree on all that was sent, and something was not.
    #[test]
    fn what_waits_for_too_long_and_what_was_refused_is_a_disagreement() {
        let sent = row("a", 3, RowState::Delivered);
        let with = |other: LedgerRow| only(&[sent.clone(), other], &[event("a", 3)], &billed(3));
        let late = with(row("b", 4, RowState::Overdue));
        assert!(late.has_drifted() && late.overdue == ["b"], "{late:?}");
        assert_eq!(
            (late.ledger, late.waiting),
            (Decimal::from(7u64), Decimal::from(4u64)),
            "it is to be billed in the period"
        );
        let unsent = with(never_sent("b", RowState::Overdue));
        assert!(unsent.has_drifted() && unsent.overdue == ["b"], "{unsent:?}");
        assert_eq!((unsent.ledger, unsent.waiting), (Decimal::from(3u64), Decimal::from(0u64)), "no period has it yet");
        for letter in [row("b", 4, RowState::Refused), never_sent("b", RowState::Refused)] {
            let dead = with(letter);
            assert!(dead.has_drifted() && dead.dead_letters == ["b"], "{dead:?}");
            assert_eq!((dead.ledger, dead.waiting), (Decimal::from(3u64), Decimal::from(0u64)));
        }
        // Lago took it, and nobody here heard of that.
        let taken = only(&[row("a", 3, RowState::Overdue)], &[event("a", 3)], &billed(3));
        assert!(!taken.has_drifted(), "{taken:?}");
    }

    /// As of a tenant that Lago does not know.
    #[test]
    fn a_ledger_alone_agrees_as_long_as_its_rows_are_young() {
        let unknown = Billed::default();
        assert!(!only(&[row("a", 3, RowState::Waiting)], &[], &unknown).has_drifted());
        assert!(only(&[never_sent("a", RowState::Overdue)], &[], &unknown).has_drifted());
    }

    /// Units agree, and the amount does not.
    #[test]
    fn a_line_at_another_price_is_a_disagreement() {
        let other = |code: &str| PricedOtherwise {
            code: code.to_owned(),
            invoice: "A-1".to_owned(),
            currency: "EUR".to_owned(),
            amount_cents: 9,
            agreed_cents: 8,
        };
        let at_another_price = |code: &str| Billed { priced_otherwise: vec![other(code)], ..billed(3) };
        let rows = [row("a", 3, RowState::Delivered)];
        let line = only(&rows, &[event("a", 3)], &at_another_price("compute_units"));
        assert!(line.has_drifted() && line.priced_otherwise == [other("compute_units")], "{line:?}");
        let lines = compare(&rows, &[event("a", 3)], &at_another_price("team"));
        let told: Vec<_> = lines.iter().map(|line| (line.metric.as_str(), line.has_drifted())).collect();
        assert_eq!(told, [("compute_units", false), ("team", true)], "the monthly fee has a line of its own");
    }

    /// Whether the invoice lacks for too long is asked of the tenant, not of each metric: [`Invoicing`].
    #[test]
    fn a_period_that_is_over_and_has_no_invoice_yet_is_compared_with_the_events_alone() {
        let unknown = Billed::default();
        let rows = [row("a", 3, RowState::Delivered)];
        assert!(!only(&rows, &[event("a", 3)], &unknown).has_drifted());
        assert!(only(&rows, &[], &unknown).has_drifted());
    }
}
