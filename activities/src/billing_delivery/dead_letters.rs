//! Rows that the billing system takes no more: dead letters with their reason, and rows that are booked anew.
//!
//! What becomes of a row that waits while the subscription has ended:
//!
//! | the billing system | the row |
//! |---|---|
//! | was never sent it | is a dead letter |
//! | does not have it, and it may have been sent before the end | waits two minutes from the end on, within which it may still arrive; then it is a dead letter |
//! | has it, on a final invoice | is delivered |
//! | has it, and its final invoice is to come: made in the background, or a draft | waits: booked anew, it would be billed twice once there is a subscription again. Where no invoice comes at all, not even a draft, it is booked anew 62 days after the end |
//! | has it, on no invoice ever: it came too late for its own, or lies behind the end | is booked anew, and its new row is a dead letter |

use std::time::Instant;

use anyhow::Result;
use billing::ExternalId;
use chrono::{DateTime, TimeDelta, Utc};
use store::usage::corrections::{self, Anew};
use store::usage::{self, UsageRow};

use super::fate::{Fate, LastInvoices};
use super::{ASKING_TIME, BillingDelivery};

/// Why the rows of a closed tenant are set aside ...
pub(super) const CLOSED: &str = "the tenant's subscription was terminated";
/// ... and those of one whose subscription somebody ended without us.
pub(super) const ENDED: &str =
    "the tenant's subscription was ended in the billing system: make it anew there, then retry";

impl BillingDelivery {
    /// Puts rows aside that no subscription takes any more. What it took before its end was delivered, once an invoice has it.
    /// Tells how many were.
    pub(super) async fn set_aside(&self, account: &ExternalId, rows: Vec<UsageRow>, reason: &str) -> Result<u32> {
        // As they stand by now: until a moment ago another process may have believed it open, and sent some of them.
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        let mut rows = usage::of_ids(&self.pool, &ids).await?;
        rows.retain(|row| row.delivered_at.is_none() && row.dead_reason.is_none());
        let (sent, unsent): (Vec<UsageRow>, Vec<UsageRow>) = rows.into_iter().partition(|row| row.billed_at.is_some());
        for row in unsent {
            self.bury(&row.id, reason).await?;
        }
        match sent.iter().filter_map(|row| row.billed_at).min() {
            Some(first) => Box::pin(self.set_aside_sent(account, sent, first, reason)).await,
            None => Ok(0),
        }
    }

    /// The same of rows that may have been sent, the first of them as of `first`: the billing system is asked about them. Each
    /// has its turn, however many wait for the last invoice.
    async fn set_aside_sent(
        &self,
        account: &ExternalId,
        sent: Vec<UsageRow>,
        first: DateTime<Utc>,
        reason: &str,
    ) -> Result<u32> {
        let end = self.lago.subscription_end(account, Utc::now()).await?;
        let mut last = LastInvoices::since(first);
        let (mut taken, begun) = (0, Instant::now());
        for row in self.next_to_ask(account, sent).await {
            if begun.elapsed() > ASKING_TIME {
                break;
            }
            // Before it is: one that cannot be asked about does not hold back those behind it.
            self.asked_last.lock().await.insert(account.to_string(), row.id.clone());
            match self.fate_after_the_end(account, &row.id, end, &mut last).await? {
                Fate::Billed => {
                    self.note_delivered(&[row.id]).await?;
                    taken += 1;
                }
                Fate::NotThere if self.may_arrive(&row, end) => {}
                Fate::NotThere => self.bury(&row.id, reason).await?,
                Fate::Uninvoiced => tracing::debug!(usage.id = row.id, "{reason}: it waits for the last invoice"),
                // There is no next invoice. Under its id it would be a duplicate once there is a subscription again.
                Fate::Unbilled => self.book_anew(&row.id, reason).await?,
            }
        }
        Ok(taken)
    }

    /// The rows that a turn asks about: those behind the one that was asked about last come first.
    async fn next_to_ask(&self, account: &ExternalId, mut rows: Vec<UsageRow>) -> Vec<UsageRow> {
        rows.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        if let Some(last) = self.asked_last.lock().await.get(account.as_str()) {
            let behind = rows.partition_point(|row| row.id <= *last);
            rows.rotate_left(behind);
        }
        rows.truncate(self.asked_at_most);
        rows
    }

    /// Whether a row that the billing system does not have may be on its way: what is billed behind the end was not sent
    /// before it.
    fn may_arrive(&self, row: &UsageRow, end: Option<DateTime<Utc>>) -> bool {
        // The billing system tells whole seconds.
        let was_before =
            |end: DateTime<Utc>| row.billed_at.is_some_and(|billed_at| billed_at < end + TimeDelta::seconds(1));
        end.is_some_and(|end| was_before(end) && Utc::now() < end + self.in_doubt)
    }

    /// Puts a row aside. What another process has noted of it meanwhile stays, and is neither logged nor counted again.
    pub(super) async fn bury(&self, id: &str, reason: &str) -> Result<()> {
        if usage::dead(&self.pool, id, reason).await? {
            tracing::error!(usage.id = id, reason, "the billing system will never take this row");
            metrics::counter!("zama_billing_dead_letters_total").increment(1);
        }
        Ok(())
    }

    /// Notes rows that the billing system has, whoever has buried one of them while it was on its way.
    pub(super) async fn note_delivered(&self, ids: &[String]) -> Result<()> {
        for id in usage::delivered(&self.pool, ids).await? {
            tracing::warn!(usage.id = id, "the billing system took this row: it is no dead letter any more");
        }
        Ok(())
    }

    pub(super) async fn book_anew(&self, id: &str, reason: &str) -> Result<()> {
        if corrections::book_anew(&self.pool, id, Anew::Waiting, reason, None).await? {
            tracing::warn!(usage.id = id, "{reason}: it is booked anew");
        }
        Ok(())
    }
}
