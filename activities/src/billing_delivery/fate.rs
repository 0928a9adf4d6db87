//! What becomes of a row whose period is over: it is on an invoice or will be, or it is booked anew.

use std::cmp::Ordering;
use std::time::Instant;

use anyhow::Result;
use billing::reconciliation::Closed;
use billing::{BilledPeriod, ExternalId, ISSUED_WITHIN_DAYS, RecordedEvent, WholeInvoice};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use store::usage::UsageRow;

use super::{ASKING_TIME, BillingDelivery};

/// How long after a period's end an event of it that was sent before may still arrive: found open, sent within
/// [`FRESH`](super::sending::FRESH), given up after ten seconds, and by the billing system itself after a minute.
pub(super) const IN_DOUBT: TimeDelta = TimeDelta::minutes(2);
/// How long after its end a subscription's last invoice is waited for, where there is none, not even a draft: who ends one may
/// ask for no invoice.
const INVOICED_WITHIN: TimeDelta = TimeDelta::days(ISSUED_WITHIN_DAYS);

/// What became of a row whose period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The billing system does not have it.
    NotThere,
    /// The billing system has it, and the final invoice of its time is still to come.
    Uninvoiced,
    /// It is on an invoice.
    Billed,
    /// No invoice ever has it: it came when that of its time was made, or lies behind its subscription's end.
    Unbilled,
}

/// The invoices of a subscription that has ended, read once for many rows, and not before one needs them.
pub(super) struct LastInvoices {
    /// From when on they are asked for.
    since: DateTime<Utc>,
    read: Option<Vec<WholeInvoice>>,
}

impl LastInvoices {
    /// For rows that were billed since then.
    pub(super) fn since(billed_at: DateTime<Utc>) -> Self {
        // Events carry whole seconds.
        Self { since: billed_at.trunc_subsecs(0), read: None }
    }
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
            if begun.elapsed() > ASKING_TIME {
                break;
            }
            if self.fate(account, &row.id, billed_at).await?.is_in_time() {
                self.note_delivered(&[row.id]).await?;
                billed += 1;
            } else if Utc::now() >= certain_at {
                self.book_anew(&row.id, "its billing period was over before it was taken").await?;
            }
        }
        Ok(billed)
    }

    /// What became of a row whose period is over, by what the billing system has of it.
    pub(crate) async fn fate(&self, account: &ExternalId, id: &str, billed_at: DateTime<Utc>) -> Result<Fate> {
        let Some(event) = self.event_of(account, id).await? else { return Ok(Fate::NotThere) };
        let invoices = self.lago.invoices_of(account, event.timestamp, billed_at + TimeDelta::seconds(1)).await?;
        if let Some(fate) = self.invoiced(account, &event, &invoices).await? {
            return Ok(fate);
        }
        // A second that a subscription has but a part of is told as its begin.
        let end = self.lago.subscription_end(account, event.timestamp + TimeDelta::seconds(1)).await?;
        Ok(without_invoice(event.timestamp, end, Utc::now()))
    }

    /// The same of a row of a subscription that has ended, by all invoices since it was billed.
    pub(super) async fn fate_after_the_end(
        &self,
        account: &ExternalId,
        id: &str,
        end: Option<DateTime<Utc>>,
        last: &mut LastInvoices,
    ) -> Result<Fate> {
        let Some(event) = self.event_of(account, id).await? else { return Ok(Fate::NotThere) };
        if last.read.is_none() || event.timestamp < last.since {
            last.since = last.since.min(event.timestamp);
            last.read = Some(self.lago.invoices_of(account, last.since, DateTime::<Utc>::MAX_UTC).await?);
        }
        let fate = self.invoiced(account, &event, last.read.as_deref().unwrap_or_default()).await?;
        Ok(fate.unwrap_or_else(|| without_invoice(event.timestamp, end, Utc::now())))
    }

    /// An event of its id under another subscription is not it.
    async fn event_of(&self, account: &ExternalId, id: &str) -> Result<Option<RecordedEvent>> {
        Ok(self.lago.get_event(id).await?.filter(|event| event.is_of(account.as_str())))
    }

    /// By the invoices that cover its time; `None` where none does.
    async fn invoiced(
        &self,
        account: &ExternalId,
        event: &RecordedEvent,
        invoices: &[WholeInvoice],
    ) -> Result<Option<Fate>> {
        let moment = event.timestamp;
        let covering: Vec<_> = invoices.iter().filter(|invoice| invoice.covers(account, moment)).collect();
        if covering.is_empty() {
            return Ok(None);
        }
        let closed: Vec<&WholeInvoice> = covering.into_iter().filter(|invoice| invoice.head.is_final()).collect();
        if closed.is_empty() {
            return Ok(Some(Fate::Uninvoiced));
        }
        let (received, mut is_billed) = (event.received_at.timestamp(), false);
        for invoice in closed {
            is_billed |= match received.cmp(&invoice.created_at.timestamp()) {
                Ordering::Less => true,
                Ordering::Greater => false,
                // Its second does not tell: the invoice's units may, beside all events of its period.
                Ordering::Equal => {
                    let is_of_it = |period: &&BilledPeriod| period.from <= moment && moment < period.until();
                    let Some(period) = invoice.periods.iter().find(is_of_it) else { continue };
                    let events = self.lago.events(account, period.from, period.until()).await?;
                    let id = event.transaction_id.as_str();
                    Closed::by(invoice, account).iter().all(|closed| !closed.left_out(&events).contains(id))
                }
            };
        }
        Ok(Some(if is_billed { Fate::Billed } else { Fate::Unbilled }))
    }
}

/// What becomes of an event of whose time there is no invoice, not even a draft; by when its subscription ended, if it did.
fn without_invoice(moment: DateTime<Utc>, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Fate {
    match end {
        Some(end) if end < moment || end + INVOICED_WITHIN < now => Fate::Unbilled,
        _ => Fate::Uninvoiced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_to_come_of_what_a_subscription_had_and_not_for_ever() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let end = at("2026-11-17T12:00:00Z");
        for (moment, now, fate) in [
            ("2026-11-17T11:59:59Z", "2026-11-17T12:00:01Z", Fate::Uninvoiced),
            ("2026-11-17T12:00:00Z", "2026-11-17T12:00:01Z", Fate::Uninvoiced),
            ("2026-11-17T12:00:01Z", "2026-11-17T12:00:01Z", Fate::Unbilled),
            ("2026-11-17T11:59:59Z", "2027-01-18T12:00:00Z", Fate::Uninvoiced),
            ("2026-11-17T11:59:59Z", "2027-01-18T12:00:01Z", Fate::Unbilled),
        ] {
            assert_eq!(without_invoice(at(moment), Some(end), at(now)), fate, "{moment}, looked at {now}");
            assert_eq!(without_invoice(at(moment), None, at(now)), Fate::Uninvoiced, "it goes on");
        }
    }
}
