//! What the billing system bills of a tenant's month, by its invoices and current usage.

use std::collections::BTreeMap;

use anyhow::Result;
use billing::reconciliation::{Billed, Closed, Invoicing, charged, priced_otherwise, reach};
use billing::{CurrentUsage, Decimal, ExternalId, LagoError, RecordedEvent, Subscribed, WholeInvoice};
use chrono::Utc;
use store::usage::periods::Span;

use super::Reconciler;

/// How far a tenant's final invoices reach in a span.
enum Reach {
    /// Nothing is to be invoiced yet, or at all.
    NotDue,
    /// To the end.
    Whole,
    /// Not to the end of what was subscribed.
    Short(Subscribed),
}

impl Reconciler {
    /// The billing system's events of an account, and what it bills, before and after they were read.
    pub(super) async fn received(&self, account: &ExternalId, span: Span) -> Result<(Vec<RecordedEvent>, Billed)> {
        let mut read = Vec::new();
        let (before, _) = self.billed(account, span, &mut read).await?;
        let events = self.lago.events(account, span.from, span.until).await?;
        let (after, reach) = self.billed(account, span, &mut read).await?;
        let invoice = match reach {
            Reach::NotDue => Invoicing::NotDue,
            Reach::Whole => Invoicing::Made,
            // Finance may have Lago leave out what comes to nothing.
            Reach::Short(subscribed) if events.is_empty() && self.has_no_fee(&subscribed.plan) => Invoicing::NotDue,
            Reach::Short(Subscribed { until, .. }) => {
                Invoicing::of_missing(until, Utc::now(), self.deadlines.invoiced_within)
            }
        };
        Ok((events, Billed { units_before: before.units, invoice, ..after }))
    }

    /// Whether a plan of the price list costs nothing by itself.
    fn has_no_fee(&self, code: &str) -> bool {
        self.catalogue.plans.iter().any(|plan| plan.code == code && plan.amount_cents == 0)
    }

    /// As of now; with the invoices that were `read` before.
    async fn billed(&self, account: &ExternalId, span: Span, read: &mut Vec<WholeInvoice>) -> Result<(Billed, Reach)> {
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
        let (is_known, reach) = match &open {
            Some(usage) => {
                usage.lines.iter().for_each(|line| add(&mut units, &line.metric, &line.units));
                (true, Reach::NotDue)
            }
            None => {
                let reach = self.reach(account, span, &closed).await?;
                // What is still to be invoiced is not known to be billed.
                (matches!(reach, Reach::Whole), reach)
            }
        };
        let units = is_known.then_some(units);
        Ok((Billed { units, closed, priced_otherwise: priced, ..Billed::default() }, reach))
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

    /// How far invoices reach in a span of which nothing is open.
    async fn reach(&self, account: &ExternalId, span: Span, closed: &[Closed]) -> Result<Reach> {
        if reach(closed, span.until.timestamp()) {
            return Ok(Reach::Whole);
        }
        let subscribed = self.lago.subscribed_within(account, span.from, span.until).await?;
        Ok(match subscribed {
            None => Reach::NotDue,
            Some(subscribed) if reach(closed, subscribed.until.timestamp()) => Reach::Whole,
            Some(subscribed) => Reach::Short(subscribed),
        })
    }
}

fn add(units: &mut BTreeMap<String, Decimal>, metric: &str, more: &Decimal) {
    let sum = units.remove(metric).unwrap_or_else(Decimal::zero) + more;
    units.insert(metric.to_owned(), sum);
}
