//! What the billing system bills of a tenant's month, by its invoices and current usage.

use std::collections::BTreeMap;

use anyhow::Result;
use billing::reconciliation::{Billed, Closed, charged, reach};
use billing::{CurrentUsage, Decimal, ExternalId, LagoError, RecordedEvent, WholeInvoice};
use chrono::{DateTime, Utc};
use store::usage::periods::Span;

use super::Reconciler;

impl Reconciler {
    /// The billing system's events of an account, and what it bills, before and after they were read.
    pub(super) async fn received(&self, account: &ExternalId, span: Span) -> Result<(Vec<RecordedEvent>, Billed)> {
        let mut read = Vec::new();
        let before = self.billed(account, span, &mut read).await?;
        let events = self.lago.events(account, span.from, span.until).await?;
        let after = self.billed(account, span, &mut read).await?;
        Ok((events, Billed { units_before: before.units, ..after }))
    }

    /// As of now; with the invoices that were `read` before.
    async fn billed(&self, account: &ExternalId, span: Span, read: &mut Vec<WholeInvoice>) -> Result<Billed> {
        let mut closed = Vec::new();
        let mut units: BTreeMap<String, Decimal> = BTreeMap::new();
        for invoice in self.lago.invoices_of_again(account, span.from, span.until, read).await? {
            // What finance gives grace is still added to.
            if !invoice.head.is_final() {
                continue;
            }
            closed.extend(Closed::by(&invoice, account));
            charged(&invoice).iter().for_each(|(metric, more)| add(&mut units, metric, more));
        }
        let open = self.open(account, span).await?;
        let is_known = match &open {
            Some(usage) => {
                usage.lines.iter().for_each(|line| add(&mut units, &line.metric, &line.units));
                true
            }
            None => self.is_invoiced(account, span.until, &closed).await?,
        };
        Ok(Billed { units: is_known.then_some(units), units_before: None, closed })
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

    /// Whether everything until a moment is on an invoice; what is still to be invoiced is not known to be billed.
    async fn is_invoiced(&self, account: &ExternalId, until: DateTime<Utc>, closed: &[Closed]) -> Result<bool> {
        if closed.is_empty() || reach(closed, until.timestamp()) {
            return Ok(!closed.is_empty());
        }
        let end = self.lago.subscribed_until(account, until).await?;
        Ok(reach(closed, end.timestamp()))
    }
}

fn add(units: &mut BTreeMap<String, Decimal>, metric: &str, more: &Decimal) {
    let sum = units.remove(metric).unwrap_or_else(Decimal::zero) + more;
    units.insert(metric.to_owned(), sum);
}
