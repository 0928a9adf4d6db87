//! `zama-jobs billing setup`: shows what differs between the price list and Lago, asks, and provisions it.

use std::sync::Arc;

use ::billing::{Catalogue, ExternalId, LagoClient, Report};
use activities::billing_delivery::BillingDelivery;
use anyhow::{Context, Result};
use clap::Args;
use settings::Settings;

use super::{End, lago};
use crate::commands::confirmation::is_agreed;
use crate::commands::parts;

/// What `setup` takes.
#[derive(Args)]
pub struct SetupArgs {
    /// Provision without asking.
    #[arg(long, short)]
    yes: bool,
    /// Change nothing: tell what differs, and end with 9 if anything does.
    #[arg(long, conflicts_with = "yes")]
    check: bool,
}

pub(super) async fn run(settings: &Settings, args: &SetupArgs, json: bool) -> Result<End> {
    let (lago, catalogue) = (lago(settings)?, catalogue(settings));
    let plan = ::billing::plan(&lago, &catalogue).await.context("Failed to compare with the billing system")?;
    if args.check {
        show(&plan, json)?;
        return Ok(if plan.is_unchanged() { End::Done } else { End::Trouble });
    }
    if !plan.is_unchanged() {
        eprint!("{plan}");
        if !args.yes && !is_agreed("provision?", "nothing was changed")? {
            return Ok(End::Declined);
        }
    }
    let report = ::billing::setup(&lago, &catalogue).await.context("Failed to provision billing")?;
    show(&report, json)?;
    let tenants = accounts(settings, lago).await?;
    eprintln!("{tenants} tenants have a customer and a subscription");
    Ok(if report.is_settled() { End::Done } else { End::Trouble })
}

/// The price list, and where Lago is to report to.
fn catalogue(settings: &Settings) -> Catalogue {
    let url = &settings.billing.webhook_url;
    Catalogue { webhook_url: (!url.is_empty()).then(|| url.clone()), ..Catalogue::standard() }
}

fn show(report: &Report, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Makes sure that every tenant has its customer and subscription; tells how many there are.
async fn accounts(settings: &Settings, lago: LagoClient) -> Result<usize> {
    let pool = parts::pool(settings)?;
    let tenants = store::tenants::list(&pool).await?;
    let delivery = BillingDelivery::new(pool, Arc::new(lago), settings.billing.default_plan.clone());
    for tenant in &tenants {
        let name = tenant.id.as_str();
        delivery.ensure_account(name, &ExternalId::parse(name)?).await?;
    }
    Ok(tenants.len())
}

/// Provisions the price list, for who has nobody to ask.
///
/// # Errors
/// The billing system is away, or refuses.
pub async fn provision(settings: &Settings, lago: &LagoClient) -> Result<()> {
    ::billing::setup(lago, &catalogue(settings)).await.context("Failed to provision billing")?;
    Ok(())
}
