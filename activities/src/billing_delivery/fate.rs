//! What becomes of a row whose period is over: it is on an invoice or will be, or it is booked anew.

use std::cmp::Ordering;
use std::time::Instant;

use anyhow::Result;
use billing::reconciliation::Closed;
use billing::{BilledPeriod, ExternalId, WholeInvoice};
use chrono::{DateTime, TimeDelta, Utc};
use store::usage::{self, UsageRow};

use super::{BillingDelivery, TURN_TIME};

/// How long after a period's end an event of it that was sent before may still arrive: found open, sent within
/// [`FRESH`](super::sending::FRESH), given up after ten seconds, and by the billing system itself after a minute.
pub(super) const IN_DOUBT: TimeDelta = TimeDelta::minutes(2);

/// What became of a row whose period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The billing system does not have it.
    NotThere,
    /// The billing system has it, and no final invoice of its time yet.
    Uninvoiced,
    /// It is on an invoice.
    Billed,
    /// It came when the invoice was made: nothing bills it.
    TooLate,
}

impl Fate {
    /// Whether an invoice has it, or will have it.
    pub(crate) fn is_in_time(self) -> bool {
        matches!(self, Self::Billed | Self::Uninvoiced)
    }
}

impl BillingDelivery {
    /// Decides what becomes of rows whose period is over; tells how many of them are billed. Noted one by one: what is known
    /// need not be asked again.
    pub(super) async fn decide(
        &self,
        account: &ExternalId,
        rows: Vec<(UsageRow, DateTime<Utc>)>,
        certain_at: DateTime<Utc>,
    ) -> Result<u32> {
        let (mut billed, begun) = (0, Instant::now());
        for (row, billed_at) in rows {
            if begun.elapsed() > TURN_TIME {
                break;
            }
            if self.fate(account, &row.id, billed_at).await?.is_in_time() {
                usage::delivered(&self.pool, &[row.id]).await?;
                billed += 1;
            } else if Utc::now() >= certain_at {
                self.book_anew(&row.id, "its billing period was over before it was taken").await?;
            }
        }
        Ok(billed)
    }

    /// What became of a row whose period is over. One that has no final invoice yet is in time for it.
    pub(crate) async fn fate(&self, account: &ExternalId, id: &str, billed_at: DateTime<Utc>) -> Result<Fate> {
        // An event of its id under another subscription is not it.
        let Some(event) = self.lago.get_event(id).await?.filter(|event| event.is_of(account.as_str())) else {
            return Ok(Fate::NotThere);
        };
        let moment = event.timestamp;
        let invoices = self.lago.invoices_of(account, moment, billed_at + TimeDelta::seconds(1)).await?;
        let is_closed = |invoice: &&WholeInvoice| invoice.head.is_final() && invoice.covers(account, moment);
        let covering: Vec<_> = invoices.iter().filter(is_closed).collect();
        if covering.is_empty() {
            return Ok(Fate::Uninvoiced);
        }
        let (received, mut is_billed) = (event.received_at.timestamp(), false);
        for invoice in covering {
            is_billed |= match received.cmp(&invoice.created_at.timestamp()) {
                Ordering::Less => true,
                Ordering::Greater => false,
                // Its second does not tell: the invoice's units may, beside all events of its period.
                Ordering::Equal => {
                    let is_of_it = |period: &&BilledPeriod| period.from <= moment && moment < period.until();
                    let Some(period) = invoice.periods.iter().find(is_of_it) else { continue };
                    let events = self.lago.events(account, period.from, period.until()).await?;
                    Closed::by(invoice, account).iter().all(|closed| !closed.left_out(&events).contains(id))
                }
            };
        }
        Ok(if is_billed { Fate::Billed } else { Fate::TooLate })
    }
}
