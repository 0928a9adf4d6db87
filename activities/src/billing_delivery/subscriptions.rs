//! Accounts that were made, and that nothing bills: the billing system is asked, since what we noted of them says only
//! that they were made.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, Result};
use billing::{ExternalId, LagoClient, SubscriptionState, ended_in};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::{PgPool, accounts};

use super::BillingDelivery;

/// Why nothing bills an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Unsubscribed {
    /// Somebody ended its subscription in the billing system, and none follows.
    Ended { at: Option<DateTime<Utc>> },
    /// The billing system knows no subscription of it: it was emptied, is another one, or was restored from a backup of
    /// before.
    Unknown,
}

impl Unsubscribed {
    /// Its name in a report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended { .. } => "ended",
            Self::Unknown => "unknown",
        }
    }

    /// Whether something before a moment is not billed for that.
    pub(crate) fn concerns(self, until: DateTime<Utc>) -> bool {
        match self {
            Self::Ended { at } => at.is_none_or(|at| at < until),
            Self::Unknown => true,
        }
    }
}

impl fmt::Display for Unsubscribed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { at } => formatter.write_str(&ended_in("the billing system", *at)),
            Self::Unknown => formatter.write_str("the billing system knows none of it any more"),
        }
    }
}

/// Why nothing bills a tenant; `None` of one that has an active subscription, or is to have one by itself, or none any more.
pub(crate) async fn unsubscribed(pool: &PgPool, lago: &LagoClient, tenant: &str) -> Result<Option<Unsubscribed>> {
    let why = match lago.subscription_state(&ExternalId::parse(tenant)?).await? {
        SubscriptionState::Active | SubscriptionState::Pending => return Ok(None),
        SubscriptionState::Ended(at) => Unsubscribed::Ended { at },
        SubscriptionState::Unknown => Unsubscribed::Unknown,
    };
    // Looked at last: an account is noted after it was made, and a tenant is closed before its subscription is ended.
    let known = accounts::find(pool, tenant).await?.context("there is no such tenant")?;
    let is_to_be_billed = known.is_ready && !known.has_ended && !known.is_closed;
    Ok(is_to_be_billed.then_some(why))
}

impl BillingDelivery {
    /// Tenants whose account was made and that nothing bills, by name.
    ///
    /// # Errors
    /// Database or billing system away.
    pub async fn all_unsubscribed(&self) -> Result<Vec<(String, Unsubscribed)>> {
        let active: HashSet<String> = self.lago.active_subscriptions().await?.into_iter().collect();
        let mut found = Vec::new();
        for tenant in accounts::open(&self.pool).await? {
            // The list was read page by page, while others came and went: by itself it accuses nobody.
            if active.contains(&tenant) {
                continue;
            }
            if let Some(why) = unsubscribed(&self.pool, &self.lago, &tenant).await? {
                found.push((tenant, why));
            }
        }
        Ok(found)
    }

    /// Makes the account anew of a tenant of which the billing system knows no subscription any more; tells whether it did
    /// so. One that somebody has ended stays ended: its last invoice is made, and another one would charge for it anew.
    ///
    /// # Errors
    /// Database or billing system away, or it refuses.
    pub async fn make_anew(&self, tenant: &str) -> Result<bool> {
        if unsubscribed(&self.pool, &self.lago, tenant).await? != Some(Unsubscribed::Unknown) {
            return Ok(false);
        }
        self.make(&self.account_of(tenant).await?, &ExternalId::parse(tenant)?).await?;
        self.forget_period(tenant).await;
        tracing::info!(tenant.id = tenant, "the tenant has a subscription anew");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_subscription_concerns_no_month_that_was_over_by_then() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let ended = Unsubscribed::Ended { at: Some(at("2026-11-20T12:00:00Z")) };
        assert!(ended.concerns(at("2026-12-01T00:00:00Z")));
        assert!(!ended.concerns(at("2026-11-01T00:00:00Z")));
        let last_moment = at("2026-12-01T00:00:00Z");
        assert!(!Unsubscribed::Ended { at: Some(last_moment) }.concerns(last_moment), "it lasted to the end");
        for unknown in [Unsubscribed::Ended { at: None }, Unsubscribed::Unknown] {
            assert!(unknown.concerns(last_moment), "{unknown}");
        }
    }
}
