//! Rows that the billing system takes no more: dead letters with their reason, and rows that are booked anew.

use anyhow::Result;
use billing::ExternalId;
use store::usage::corrections::{self, Anew};
use store::usage::{self, UsageRow};

use super::BillingDelivery;
use super::fate::Fate;

/// Why the rows of a closed tenant are set aside ...
pub(super) const CLOSED: &str = "the tenant's subscription was terminated";
/// ... and those of one whose subscription somebody ended without us.
pub(super) const ENDED: &str =
    "the tenant's subscription was ended in the billing system: make it anew there, then retry";

impl BillingDelivery {
    /// Puts rows aside that no subscription takes any more. What it took before its end was delivered. Tells how many were.
    pub(super) async fn set_aside(&self, account: &ExternalId, rows: Vec<UsageRow>, reason: &str) -> Result<u32> {
        let mut taken = 0;
        for row in rows {
            let fate = match row.billed_at {
                Some(billed_at) => self.fate(account, &row.id, billed_at).await?,
                None => Fate::NotThere,
            };
            match fate {
                Fate::Billed => {
                    usage::delivered(&self.pool, &[row.id]).await?;
                    taken += 1;
                }
                Fate::NotThere => self.bury(&row.id, reason).await?,
                // There is no next invoice. Under its id it would be a duplicate once there is a subscription again.
                Fate::Uninvoiced | Fate::TooLate => self.book_anew(&row.id, reason).await?,
            }
        }
        Ok(taken)
    }

    pub(super) async fn bury(&self, id: &str, reason: &str) -> Result<()> {
        tracing::error!(usage.id = id, reason, "the billing system will never take this row");
        metrics::counter!("zama_billing_dead_letters_total").increment(1);
        usage::dead(&self.pool, id, reason).await?;
        Ok(())
    }

    pub(super) async fn book_anew(&self, id: &str, reason: &str) -> Result<()> {
        corrections::book_anew(&self.pool, id, Anew::Waiting, reason, None).await?;
        tracing::warn!(usage.id = id, "{reason}: it is booked anew");
        Ok(())
    }
}
