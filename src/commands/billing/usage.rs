//! `zama-jobs billing usage`: what Lago would invoice now.

use ::billing::{Catalogue, CurrentUsage, ExternalId, LagoError};
use anyhow::{Result, anyhow};
use clap::Args;
use jobs::money::money;
use settings::Settings;

use super::{End, lago};
use crate::commands::stand_in;
use crate::output;

/// What `usage` takes.
#[derive(Args)]
pub struct UsageArgs {
    /// The tenant.
    tenant: String,
}

pub(super) async fn run(settings: &Settings, args: &UsageArgs, json: bool) -> Result<End> {
    let (lago, account) = (lago(settings)?, ExternalId::parse(&args.tenant)?);
    let usage = lago.current_usage(&account).await;
    stand_in::name(&lago);
    let usage = usage.map_err(|error| match error {
        LagoError::Rejected { body, .. } if body.contains("no_active_subscription") => anyhow!(
            "{account} has no active subscription: what it used is on its invoices (zama-jobs billing reconcile --tenant \
             {account} holds them against the ledger)"
        ),
        LagoError::Rejected { body, .. } if body.contains("customer_not_found") => {
            anyhow!("the billing system has no customer {account}: the reporter makes one of each new tenant within a turn")
        }
        error => error.into(),
    })?;
    if json {
        output::line(serde_json::to_string_pretty(&usage)?)?;
    } else {
        let plan = lago.subscription(&account).await?.map(|subscription| subscription.plan);
        let fee = plan.and_then(|plan| fee(&plan)).unwrap_or_default();
        output::text(table(&args.tenant, &usage) + &fee)?;
    }
    Ok(End::Done)
}

/// What would be invoiced, for people.
#[must_use]
pub fn table(tenant: &str, usage: &CurrentUsage) -> String {
    let mut text = format!("{tenant}, {} to {}\n", usage.from.date_naive(), usage.to.date_naive());
    for line in &usage.lines {
        let amount = money(line.amount_cents, &usage.currency);
        text.push_str(&format!(
            "  {:<22} {:>12}  {:<10} {amount:>14}\n",
            line.name,
            line.units.to_string(),
            line.charge_model
        ));
    }
    let total = money(usage.total_amount_cents, &usage.currency);
    text.push_str(&format!("  {:<46} {total:>15}  (taxes included)\n", "would be invoiced"));
    text
}

/// What Lago's current usage leaves out: a plan's own price, of which a part of a month is invoiced by its days.
fn fee(code: &str) -> Option<String> {
    let plans = Catalogue::standard().plans;
    let plan = plans.into_iter().find(|plan| plan.code == code && plan.amount_cents > 0)?;
    let fee = money(plan.amount_cents, &plan.currency);
    Some(format!("  and {fee} a month for the plan {code}, by the days that it has, without taxes\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_with_a_price_of_its_own_says_so() {
        let told = "  and 49.00 EUR a month for the plan team, by the days that it has, without taxes\n";
        assert_eq!(fee("team").as_deref(), Some(told));
        assert_eq!(fee("developer"), None);
        assert_eq!(fee("no-such-plan"), None);
    }
}
