//! Tenants as the billing system knows them: their subscriptions are made, put on another plan, and ended.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use billing::ExternalId;
use store::accounts::{self, Account};

use super::BillingDelivery;
use super::plans::catalogue_plans;

/// Time for tenants that are new, in one turn; the next one has the others.
pub(super) const NEW_TENANTS: Duration = Duration::from_secs(20);

/// How long a tenant has been closed before its subscription is terminated, beside the time in which the API's processes
/// tell of calls. One that has not heard of the close accepts its requests for a moment more: they are billed, too.
pub(super) const ENDS_AFTER: Duration = Duration::from_secs(60);

/// How a tenant stands with the billing system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has a subscription.
    Open,
    /// Its subscription was terminated when the tenant was closed.
    Ended,
}

impl BillingDelivery {
    /// Nothing is sent until billing has confirmed the tenant's subscription. One that is there stays on its plan until the
    /// tenant is put on another one.
    ///
    /// # Errors
    /// Database or billing system away, or no such tenant.
    pub async fn ensure_account(&self, tenant: &str, account: &ExternalId) -> Result<Standing> {
        let known = self.account_of(tenant).await?;
        if known.has_ended {
            return Ok(Standing::Ended);
        }
        if known.is_ready {
            return Ok(Standing::Open);
        }
        anyhow::ensure!(!known.is_sandbox, "{tenant} is a sandbox, which is never billed");
        self.make(&known, account).await?;
        Ok(Standing::Open)
    }

    /// Makes what is lacking of customer and subscription, and notes that they are there.
    pub(super) async fn make(&self, known: &Account, account: &ExternalId) -> Result<()> {
        let (tenant, plan) = (known.tenant.as_str(), self.plan_of(known)?);
        billing::ensure_tenant(&self.lago, account, &plan, known.created_at).await?;
        self.learn_plan(tenant, account).await?;
        accounts::is_on_plan(&self.pool, tenant, plan.as_str()).await?;
        Ok(())
    }

    /// Tells the billing system of new tenants, of those that were put on another plan, and of those that were closed. Tells
    /// of how many. One that cannot be settled does not hold back the others.
    ///
    /// # Errors
    /// Database or billing system away. What was told is not told again.
    pub async fn settle_accounts(&self) -> Result<u32> {
        let (mut settled, mut failed) = (0, None);
        let mut note = |tenant: &str, done: Result<()>| match done {
            Ok(()) => settled += 1,
            Err(error) => {
                tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "the account was not settled");
                failed.get_or_insert_with(|| error.context(format!("account of {tenant}")));
            }
        };
        let begun = Instant::now();
        for tenant in accounts::to_begin(&self.pool).await? {
            if begun.elapsed() > NEW_TENANTS {
                break;
            }
            note(&tenant, self.begin(&tenant).await);
        }
        for tenant in accounts::to_move(&self.pool, &catalogue_plans(), &self.default_plan).await? {
            note(&tenant, Box::pin(self.change_plan(&tenant)).await);
        }
        for tenant in accounts::to_end(&self.pool, self.ends_after).await? {
            note(&tenant, self.end(&tenant).await);
        }
        // Those from before plans were noted.
        let learned = self.learn_plans(begun).await;
        failed.map_or_else(|| learned.map(|()| settled), Err)
    }

    /// A tenant's account as we have it.
    pub(super) async fn account_of(&self, tenant: &str) -> Result<Account> {
        accounts::find(&self.pool, tenant).await?.context("there is no such tenant")
    }

    async fn begin(&self, tenant: &str) -> Result<()> {
        self.ensure_account(tenant, &ExternalId::parse(tenant)?).await?;
        tracing::info!(tenant.id = tenant, "the tenant has a subscription");
        Ok(())
    }

    async fn end(&self, tenant: &str) -> Result<()> {
        billing::end_tenant(&self.lago, &ExternalId::parse(tenant)?).await?;
        accounts::has_ended(&self.pool, tenant).await?;
        tracing::info!(tenant.id = tenant, "the subscription was terminated");
        Ok(())
    }
}
