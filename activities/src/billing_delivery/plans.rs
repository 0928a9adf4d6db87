//! The plan that bills a tenant: changed here, and noted as the billing system tells it.

use std::time::Instant;

use anyhow::{Context, Result};
use billing::{Catalogue, ExternalId, Subscription};
use store::accounts::{self, Account, plans};
use store::usage;

use super::BillingDelivery;
use super::accounts::NEW_TENANTS;
use super::periods::next_second;

/// Rows that are sent before a change of plan; what is left of more is billed under the new one.
const LAST_ROWS: i64 = 10_000;

impl BillingDelivery {
    pub(super) async fn change_plan(&self, tenant: &str) -> Result<()> {
        let known = self.account_of(tenant).await?;
        let (account, plan) = (ExternalId::parse(tenant)?, self.plan_of(&known)?);
        // What is there already from before this was noted stays as finance has it.
        if known.billing_plan.is_some() {
            // What was used under the plan that ends is billed under it.
            self.deliver_tenant(tenant, usage::due_for_tenant(&self.pool, tenant, LAST_ROWS).await?).await?;
            if self.is_subscribed(&account).await? {
                // Closed while that was sent: what ends is put on no other plan.
                if self.account_of(tenant).await?.is_closed {
                    return Ok(());
                }
                billing::change_plan(&self.lago, &account, &plan).await?;
                self.forget_period(tenant).await;
                self.learn_plan(tenant, &account).await?;
                tracing::info!(tenant.id = tenant, billing.plan = plan.as_str(), "the subscription is on another plan");
            } else {
                tracing::warn!(
                    tenant.id = tenant,
                    billing.plan = plan.as_str(),
                    "the subscription was ended in the billing system: another plan makes none anew"
                );
            }
        }
        // Noted of an ended one, too: whoever makes it anew says its plan.
        accounts::is_on_plan(&self.pool, tenant, plan.as_str()).await?;
        Ok(())
    }

    /// Whether there is a subscription that can be put on another plan: where somebody has ended it, the billing system would
    /// make one anew, and charge for it.
    async fn is_subscribed(&self, account: &ExternalId) -> Result<bool> {
        if self.lago.subscription(account).await?.is_some() {
            return Ok(true);
        }
        anyhow::ensure!(self.lago.subscription_has_ended(account).await?, "the subscription has not begun");
        Ok(false)
    }

    /// A tenant's plan where the billing system has one of that name, else the default one.
    pub(super) fn plan_of(&self, account: &Account) -> Result<ExternalId> {
        let is_known = catalogue_plans().contains(&account.plan);
        Ok(ExternalId::parse(if is_known { &account.plan } else { &self.default_plan })?)
    }

    pub(super) async fn learn_plans(&self, begun: Instant) -> Result<()> {
        for tenant in plans::unnoted(&self.pool).await? {
            if begun.elapsed() > NEW_TENANTS {
                break;
            }
            let account = ExternalId::parse(&tenant)?;
            self.learn_plan(&tenant, &account).await.with_context(|| format!("plan of {tenant}"))?;
        }
        Ok(())
    }

    /// Asks by which plan a tenant is billed, and since when.
    pub(super) async fn learn_plan(&self, tenant: &str, account: &ExternalId) -> Result<()> {
        match self.lago.subscription(account).await? {
            Some(subscription) => self.note_plan(tenant, &subscription).await,
            None => Ok(()),
        }
    }

    /// What a job costs is said by the plan that bills it, as the billing system has it: a cheaper one waits for the next
    /// month, and finance may have given it another one.
    pub(super) async fn note_plan(&self, tenant: &str, subscription: &Subscription) -> Result<()> {
        if let Some(began) = subscription.started_at {
            plans::note(&self.pool, tenant, &subscription.plan, next_second(began)).await?;
        }
        Ok(())
    }
}

/// The plans that the billing system has.
pub(super) fn catalogue_plans() -> Vec<String> {
    Catalogue::standard().plans.into_iter().map(|plan| plan.code).collect()
}
