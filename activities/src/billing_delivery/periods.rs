//! The open period of a tenant: what the billing system told of it is believed for a moment.

use std::time::{Duration, Instant};

use anyhow::Result;
use billing::{CurrentUsage, ExternalId, LagoError, Subscription};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::BillingDelivery;

/// How long the start of an open period is believed.
const PERIOD_TTL: Duration = Duration::from_secs(60);

/// An open period, when it was asked for.
#[derive(Clone, Copy)]
pub(super) struct Period {
    asked: Instant,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl BillingDelivery {
    /// From when on the billing system still bills a tenant's usage: everything, where it knows nothing of the tenant yet.
    /// `None` where its subscription has ended.
    ///
    /// # Errors
    /// Database or billing system away, or no such tenant.
    pub async fn open_from(&self, tenant: &str) -> Result<Option<DateTime<Utc>>> {
        let known = self.account_of(tenant).await?;
        if known.has_ended {
            return Ok(None);
        }
        if !known.is_ready {
            return Ok(Some(DateTime::UNIX_EPOCH));
        }
        self.period_start(tenant, &ExternalId::parse(tenant)?).await
    }

    /// `None` where the subscription has ended.
    pub(super) async fn period_start(&self, tenant: &str, account: &ExternalId) -> Result<Option<DateTime<Utc>>> {
        if let Some(period) = self.periods.lock().await.get(tenant)
            && period.asked.elapsed() < PERIOD_TTL
            && Utc::now() < period.to
        {
            return Ok(Some(period.from));
        }
        let usage = match self.lago.current_usage(account).await {
            Ok(usage) => usage,
            Err(LagoError::Rejected { .. }) if self.lago.subscription_has_ended(account).await? => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let subscription = self.lago.subscription(account).await?;
        if let Some(subscription) = &subscription {
            self.note_plan(tenant, subscription).await?;
        }
        // Lago begins a cheaper plan within the month's first hour, and bills what was used in the month before that on no
        // invoice: it is sent afterwards, as of the plan's first second.
        if let Some(asked) = self.lago.pending_since(account).await? {
            anyhow::ensure!(asked >= usage.from, "the plan of the new month has not begun yet: rows wait for it");
        }
        let from = first_second(&usage, subscription.as_ref());
        let period = Period { asked: Instant::now(), from, to: usage.to };
        self.periods.lock().await.insert(tenant.to_owned(), period);
        Ok(Some(period.from))
    }

    /// The next one who needs it asks again.
    pub(super) async fn forget_period(&self, tenant: &str) {
        self.periods.lock().await.remove(tenant);
    }
}

/// From when on rows are billed in the open period: events carry whole seconds, and after a change of plan a subscription may
/// begin within one.
pub(super) fn first_second(usage: &CurrentUsage, subscription: Option<&Subscription>) -> DateTime<Utc> {
    let began = subscription.and_then(|subscription| subscription.started_at);
    began.map_or(usage.from, |began| usage.from.max(next_second(began)))
}

/// The first whole second that is not before a moment.
pub(super) fn next_second(moment: DateTime<Utc>) -> DateTime<Utc> {
    let second = moment.trunc_subsecs(0);
    if second == moment { second } else { second + TimeDelta::seconds(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_no_second_that_its_subscription_has_but_a_part_of() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let second = at("2026-11-17T12:00:00Z");
        assert_eq!(next_second(second), second);
        assert_eq!(next_second(at("2026-11-17T11:59:59.000001Z")), second);
        assert_eq!(next_second(at("2026-11-17T11:59:59.999999Z")), second);
    }
}
