//! What the billing system bills of a tenant's month, by its invoices and current usage.

use std::collections::BTreeMap;
use std::mem::take;

use anyhow::Result;
use billing::reconciliation::{
    Billed, Closed, Invoicing, Lacking, PricedOtherwise, charged, cover, lacking, priced_otherwise, reach,
};
use billing::{CurrentUsage, Decimal, ExternalId, LagoError, RecordedEvent, Subscribed, WholeInvoice};
use chrono::{DateTime, Utc};
use store::usage::periods::Span;

use super::Reconciler;

/// How far a tenant's final invoices reach in a span.
enum Reach {
    /// Nothing is to be invoiced yet, or at all.
    NotDue,
    /// Over all of it.
    Whole,
    /// Not over these stretches of what was subscribed.
    Short(Vec<Lacking>),
}

/// What is billed of a span, as it was read.
struct Bills {
    units: BTreeMap<String, Decimal>,
    closed: Vec<Closed>,
    priced_otherwise: Vec<PricedOtherwise>,
    /// Whether current usage is among the units.
    is_open: bool,
}

impl Bills {
    /// Units, unless some are still to be invoiced.
    fn known_units(self, reach: &Reach) -> Option<BTreeMap<String, Decimal>> {
        (self.is_open || matches!(reach, Reach::Whole)).then_some(self.units)
    }

    /// Whether all of the span is known without its subscriptions.
    fn is_settled(&self, span: Span) -> bool {
        self.is_open || cover(&self.closed, span.from.timestamp(), span.until.timestamp())
    }

    /// Beside what was subscribed, which is not looked at where all is settled.
    fn reach(&self, span: Span, subscribed: &[Subscribed]) -> Reach {
        if self.is_open {
            return Reach::NotDue;
        }
        if self.is_settled(span) {
            return Reach::Whole;
        }
        let lacking = lacking(&self.closed, subscribed);
        if !lacking.is_empty() {
            return Reach::Short(lacking);
        }
        // Of earlier subscriptions Lago tells nothing but their invoices.
        let is_invoiced = !subscribed.is_empty() || self.reaches(span);
        if is_invoiced { Reach::Whole } else { Reach::NotDue }
    }

    /// Whether an invoice bills the end.
    fn reaches(&self, span: Span) -> bool {
        reach(&self.closed, span.until.timestamp())
    }
}

impl Reconciler {
    /// The billing system's events of an account, and what it bills, before and after they were read.
    pub(super) async fn received(&self, account: &ExternalId, span: Span) -> Result<(Vec<RecordedEvent>, Billed)> {
        let mut read = Vec::new();
        let before = self.bills(account, span, &mut read).await?;
        let events = self.lago.events(account, span.from, span.until).await?;
        let mut after = self.bills(account, span, &mut read).await?;
        // Once for both.
        let subscribed = if before.is_settled(span) && after.is_settled(span) {
            Vec::new()
        } else {
            self.lago.subscribed_within(account, span.from, span.until).await?
        };
        let [reach_before, reach] = [&before, &after].map(|bills| bills.reach(span, &subscribed));
        let invoice = match &reach {
            Reach::NotDue => Invoicing::NotDue,
            Reach::Whole => Invoicing::Made,
            Reach::Short(lacking) => {
                // Finance may have Lago leave out what comes to nothing.
                let owed = lacking.iter().filter(|stretch| !self.is_nothing(stretch, &events));
                match owed.filter_map(|stretch| DateTime::from_timestamp(stretch.until, 0)).min() {
                    Some(end) => Invoicing::of_missing(end, Utc::now(), self.deadlines.invoiced_within),
                    None if after.reaches(span) => Invoicing::Made,
                    None => Invoicing::NotDue,
                }
            }
        };
        let (closed, priced_otherwise) = (take(&mut after.closed), take(&mut after.priced_otherwise));
        let (units_before, units) = (before.known_units(&reach_before), after.known_units(&reach));
        Ok((events, Billed { units, units_before, closed, invoice, priced_otherwise }))
    }

    /// Whether what was used in a stretch comes to nothing by its plan, which is one of the price list.
    fn is_nothing(&self, stretch: &Lacking, events: &[RecordedEvent]) -> bool {
        let is_of_it = |event: &&RecordedEvent| {
            let second = event.timestamp.timestamp();
            // A part's last second is told as its end.
            stretch.first <= second && second <= stretch.until
        };
        let events: Vec<RecordedEvent> = events.iter().filter(is_of_it).cloned().collect();
        let plan = self.catalogue.plans.iter().find(|plan| stretch.plan.as_ref() == Some(&plan.code));
        plan.is_some_and(|plan| plan.comes_to_nothing_with(&events))
    }

    /// As of now; with the invoices that were `read` before.
    async fn bills(&self, account: &ExternalId, span: Span, read: &mut Vec<WholeInvoice>) -> Result<Bills> {
        let (mut closed, mut priced) = (Vec::new(), Vec::new());
        let mut units: BTreeMap<String, Decimal> = BTreeMap::new();
        for invoice in self.lago.invoices_of_again(account, span.from, span.until, read).await? {
            // What finance gives grace is still added to.
            if !invoice.head.is_final() {
                continue;
            }
            closed.extend(Closed::by(&invoice, account));
            priced.extend(priced_otherwise(&invoice, account, &self.catalogue));
            charged(&invoice).iter().for_each(|(metric, more)| add(&mut units, metric, more));
        }
        let open = self.open(account, span).await?;
        open.iter().flat_map(|usage| &usage.lines).for_each(|line| add(&mut units, &line.metric, &line.units));
        Ok(Bills { units, closed, priced_otherwise: priced, is_open: open.is_some() })
    }

    /// Current usage, as long as the span is open and something is subscribed.
    async fn open(&self, account: &ExternalId, span: Span) -> Result<Option<CurrentUsage>> {
        if span.until <= Utc::now() {
            return Ok(None);
        }
        match self.lago.current_usage(account).await {
            // The span may be over by now, or not have begun.
            Ok(usage) => Ok(Some(usage).filter(|usage| usage.from < span.until && span.from <= usage.to)),
            Err(LagoError::Rejected { status: 404 | 405, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn add(units: &mut BTreeMap<String, Decimal>, metric: &str, more: &Decimal) {
    let sum = units.remove(metric).unwrap_or_else(Decimal::zero) + more;
    units.insert(metric.to_owned(), sum);
}
