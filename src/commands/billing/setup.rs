//! `zama-jobs billing setup`: shows what differs between the price list and Lago, and which tenants have no account there;
//! asks, and provisions it.

use std::sync::Arc;

use ::billing::{Catalogue, Change, ExternalId, Kind, LagoClient, Report};
use activities::billing_delivery::{BillingDelivery, Standing};
use anyhow::{Context, Result};
use clap::Args;
use settings::Settings;
use store::PgPool;

use super::{End, lago};
use crate::commands::confirmation::is_agreed;
use crate::commands::{parts, stand_in};

/// What `setup` takes.
#[derive(Args)]
pub struct SetupArgs {
    /// Provision without asking.
    #[arg(long, short)]
    yes: bool,
    /// Change nothing: tell what differs and which tenants have no account, and end with 9 if there is any such thing.
    #[arg(long, conflicts_with = "yes")]
    check: bool,
}

pub(super) async fn run(settings: &Settings, args: &SetupArgs, json: bool) -> Result<End> {
    let (pool, lago, catalogue) = (parts::pool(settings)?, lago(settings)?, catalogue(settings));
    store::reach(&pool).await?;
    let plan = ::billing::plan(&lago, &catalogue).await;
    stand_in::name(&lago);
    let mut plan = plan.context("Failed to compare with the billing system")?;
    let lacking = store::accounts::to_begin(&pool).await?;
    for tenant in &lacking {
        plan.add(Kind::Account, tenant, Change::Missing);
    }
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
    let mut report = ::billing::setup(&lago, &catalogue).await.context("Failed to provision billing")?;
    let delivery = BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone());
    let made = make(&delivery, &lacking, &mut report).await;
    // One that could not be made hides none of those that were.
    show(&report, json)?;
    made?;
    eprintln!("{} tenants have a customer and a subscription", with_account(&pool).await?);
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

/// Makes the customers and subscriptions that were shown to be lacking.
async fn make(delivery: &BillingDelivery, lacking: &[String], report: &mut Report) -> Result<()> {
    for tenant in lacking {
        let standing = delivery.ensure_account(tenant, &ExternalId::parse(tenant)?).await;
        let standing = standing.with_context(|| format!("Failed to make the account of {tenant}"))?;
        // One that was closed meanwhile, and owes nothing, gets none.
        if standing == Standing::Open {
            report.add(Kind::Account, tenant, Change::Created);
        }
    }
    Ok(())
}

async fn with_account(pool: &PgPool) -> Result<usize> {
    let tenants = store::tenants::list(pool).await?;
    Ok(tenants.iter().filter(|tenant| tenant.billing_ready).count())
}

/// Provisions the price list, for who has nobody to ask.
///
/// # Errors
/// The billing system is away, or refuses.
pub async fn provision(settings: &Settings, lago: &LagoClient) -> Result<()> {
    ::billing::setup(lago, &catalogue(settings)).await.context("Failed to provision billing")?;
    Ok(())
}
