//! What an invoice has closed: what came too late for it, and how far a tenant's invoices reach.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::at_least_nothing;
use crate::{BilledPeriod, Decimal, ExternalId, FeeKind, RecordedEvent, WholeInvoice};

/// A stretch of time that was invoiced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// First and last of its Unix seconds.
    pub first: i64,
    pub last: i64,
    /// When the invoice was made, in Unix seconds: what Lago received later is billed by none.
    pub at: i64,
    /// Units that the invoice bills, by metric; `None` of one that covers several stretches, which it does not tell apart.
    pub units: Option<BTreeMap<String, Decimal>>,
}

impl Closed {
    /// What an invoice has closed of a subscription.
    #[must_use]
    pub fn by(invoice: &WholeInvoice, subscription: &ExternalId) -> Vec<Self> {
        let units = (invoice.periods.len() == 1).then(|| charged(invoice));
        let stretch = |period: &BilledPeriod| Self {
            first: period.from.timestamp(),
            last: period.to.timestamp(),
            at: invoice.created_at.timestamp(),
            units: units.clone(),
        };
        invoice.periods.iter().filter(|period| period.is_of(subscription)).map(stretch).collect()
    }

    /// Which of these events came too late to be on the invoice. The stretch's events must all be among them.
    #[must_use]
    pub fn left_out<'a>(&self, events: &'a [RecordedEvent]) -> BTreeSet<&'a str> {
        let mut by_metric: BTreeMap<&str, Vec<&RecordedEvent>> = BTreeMap::new();
        let within = |event: &&RecordedEvent| (self.first..=self.last).contains(&event.timestamp.timestamp());
        for event in events.iter().filter(within) {
            by_metric.entry(&event.code).or_default().push(event);
        }
        let mut late = BTreeSet::new();
        for (metric, events) in by_metric {
            let lacks_the_tied = self.lacks_the_tied(metric, &events);
            let is_late = |event: &&RecordedEvent| match self.came(event) {
                Ordering::Less => false,
                Ordering::Equal => lacks_the_tied,
                Ordering::Greater => true,
            };
            late.extend(events.into_iter().filter(is_late).map(|event| event.transaction_id.as_str()));
        }
        late
    }

    /// Lago tells times in whole seconds. Whether what came in the second in which the invoice was made is on it, its units
    /// say, where all of that is or none; else it is taken to be.
    fn lacks_the_tied(&self, metric: &str, events: &[&RecordedEvent]) -> bool {
        let Some(units) = &self.units else { return false };
        let billed = units.get(metric).cloned().unwrap_or_else(Decimal::zero);
        let sum = |came: &[Ordering]| {
            let counted = events.iter().filter(|event| came.contains(&self.came(event)));
            let sum = counted.filter_map(|event| event.value.as_ref()).fold(Decimal::zero(), |sum, value| sum + value);
            at_least_nothing(sum)
        };
        billed == sum(&[Ordering::Less]) && billed != sum(&[Ordering::Less, Ordering::Equal])
    }

    /// Before, in or after the second in which the invoice was made.
    fn came(&self, event: &RecordedEvent) -> Ordering {
        event.received_at.timestamp().cmp(&self.at)
    }
}

/// Whether invoices bill everything until a Unix second, which itself is not to be billed any more. A change of plan is
/// invoiced within the month, and tells nothing of the rest of it.
#[must_use]
pub fn reach(closed: &[Closed], until: i64) -> bool {
    closed.iter().any(|closed| closed.last >= until - 1)
}

/// Units of an invoice by metric.
#[must_use]
pub fn charged(invoice: &WholeInvoice) -> BTreeMap<String, Decimal> {
    let mut units = BTreeMap::new();
    for fee in invoice.fees.iter().filter(|fee| fee.kind == FeeKind::Charge) {
        let sum = units.remove(&fee.code).unwrap_or_else(Decimal::zero) + &fee.units;
        units.insert(fee.code.clone(), sum);
    }
    units
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const FIRST: i64 = 1_790_000_000;
    const LAST: i64 = FIRST + 100;
    /// When the invoice was made.
    const AT: i64 = LAST + 10;

    fn closed(compute_units: u64) -> Closed {
        let units = Some(BTreeMap::from([("compute_units".to_owned(), compute_units.into())]));
        Closed { first: FIRST, last: LAST, at: AT, units }
    }

    fn event(id: &str, units: i64, received_at: i64) -> RecordedEvent {
        RecordedEvent {
            transaction_id: id.to_owned(),
            external_subscription_id: Some("acme".to_owned()),
            code: "compute_units".to_owned(),
            timestamp: DateTime::from_timestamp(LAST, 0).unwrap(),
            value: Some(units.into()),
            received_at: DateTime::from_timestamp(received_at, 0).unwrap(),
        }
    }

    fn late(closed: &Closed, events: &[RecordedEvent]) -> Vec<String> {
        closed.left_out(events).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn what_came_after_the_invoice_is_left_out_and_what_it_does_not_cover_is_not() {
        let events = [event("before", 3, AT - 1), event("after", 5, AT + 1)];
        assert_eq!(late(&closed(3), &events), ["after"]);
        let next = RecordedEvent { timestamp: DateTime::from_timestamp(LAST + 1, 0).unwrap(), ..event("n", 7, AT + 9) };
        assert_eq!(late(&closed(0), &[next]), Vec::<String>::new());
    }

    #[test]
    fn the_units_of_the_invoice_decide_on_what_came_in_its_very_second() {
        let events = [event("before", 3, AT - 1), event("tied", 5, AT), event("too", 2, AT)];
        assert_eq!(late(&closed(10), &events), Vec::<String>::new());
        assert_eq!(late(&closed(3), &events), ["tied", "too"]);
        assert_eq!(late(&closed(0), &events[1..]), ["tied", "too"], "the invoice has no line of it");
        let other = Closed { units: Some(BTreeMap::new()), ..closed(0) };
        assert_eq!(late(&other, &events[1..]), ["tied", "too"], "nor of anything");
    }

    #[test]
    fn what_nothing_decides_on_is_taken_to_be_in_time() {
        let events = [event("before", 3, AT - 1), event("tied", 5, AT), event("too", 2, AT)];
        assert_eq!(late(&closed(8), &events), Vec::<String>::new(), "one of two");
        assert_eq!(late(&Closed { units: None, ..closed(3) }, &events), Vec::<String>::new());
        // Both sums are billed as nothing.
        assert_eq!(late(&closed(0), &[event("back", -9, AT - 1), event("tied", 5, AT)]), Vec::<String>::new());
    }

    #[test]
    fn a_months_invoices_reach_its_end_and_the_one_of_a_changed_plan_does_not() {
        let month_ends = LAST + 1000;
        let upgrade = closed(3);
        assert!(!reach(&[], month_ends));
        assert!(!reach(std::slice::from_ref(&upgrade), month_ends), "the rest of the month is still to be invoiced");
        assert!(reach(std::slice::from_ref(&upgrade), LAST), "the subscription ended then");
        let rest = Closed { first: LAST, last: month_ends - 1, ..closed(4) };
        assert!(reach(&[upgrade, rest], month_ends));
    }
}
