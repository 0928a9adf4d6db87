//! `zama-jobs billing setup`: shows what differs between the price list and Lago, and which tenants have no account or no
//! subscription there; asks, and provisions it.

mod accounts;

use std::sync::Arc;

use ::billing::{Catalogue, LagoClient, Report};
use activities::billing_delivery::BillingDelivery;
use anyhow::{Context, Result};
use clap::Args;
use settings::Settings;

use self::accounts::Accounts;
use super::{End, lago};
use crate::commands::confirmation::is_agreed;
use crate::commands::{parts, stand_in};
use crate::output;

/// What `setup` takes.
#[derive(Args)]
pub struct SetupArgs {
    /// Provision without asking.
    #[arg(long, short)]
    yes: bool,
    /// Change nothing: tell what differs and which tenants have no account or no active subscription, and end with 9 if
    /// there is any such thing.
    #[arg(long, conflicts_with = "yes")]
    check: bool,
}

pub(super) async fn run(settings: &Settings, args: &SetupArgs, json: bool) -> Result<End> {
    let (pool, lago, catalogue) = (parts::pool(settings)?, lago(settings)?, catalogue(settings));
    store::reach(&pool).await?;
    let plan = ::billing::plan(&lago, &catalogue).await;
    stand_in::name(&lago);
    let mut plan = plan.context("Failed to compare with the billing system")?;
    let delivery = BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone());
    let accounts = Box::pin(Accounts::find(&delivery)).await.context("Failed to compare the accounts")?;
    accounts.plan(&mut plan);
    if args.check {
        show(&plan, json)?;
        return Ok(if plan.is_unchanged() { End::Done } else { End::Trouble });
    }
    if plan.has_work() {
        output::notices(&plan);
        if !args.yes && !is_agreed("provision?", "nothing was changed")? {
            return Ok(End::Declined);
        }
    }
    let mut report = ::billing::setup(&delivery.lago, &catalogue).await.context("Failed to provision billing")?;
    let unbilled = Box::pin(accounts.make(&delivery, &mut report)).await;
    show(&report, json)?;
    let billed = store::accounts::open(&pool).await?.len().saturating_sub(unbilled);
    output::notice(format_args!("{billed} tenants have a customer and a subscription"));
    Ok(end(&report))
}

/// The price list, and where Lago is to report to.
fn catalogue(settings: &Settings) -> Catalogue {
    let url = &settings.billing.webhook_url;
    Catalogue { webhook_url: (!url.is_empty()).then(|| url.clone()), ..Catalogue::standard() }
}

fn show(report: &Report, json: bool) -> Result<()> {
    if json { output::line(serde_json::to_string_pretty(report)?) } else { output::text(report) }
}

/// What could not be done weighs more than what is left to a person.
fn end(report: &Report) -> End {
    if report.has_failed() {
        End::Failed
    } else if report.is_settled() {
        End::Done
    } else {
        End::Trouble
    }
}

/// Provisions the price list, for who has nobody to ask.
///
/// # Errors
/// The billing system is away, or refuses.
pub async fn provision(settings: &Settings, lago: &LagoClient) -> Result<()> {
    ::billing::setup(lago, &catalogue(settings)).await.context("Failed to provision billing")?;
    Ok(())
}
