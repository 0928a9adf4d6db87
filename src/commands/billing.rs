//! `zama-jobs billing`: provisions the billing system, and shows what it would invoice.

use std::sync::Arc;

use ::billing::{Catalogue, CurrentUsage, ExternalId, LagoClient};
use activities::billing_delivery::BillingDelivery;
use anyhow::{Context, Result};
use clap::Subcommand;
use settings::Settings;

use super::{Role, parts, process};

#[derive(Subcommand)]
pub enum BillingCommand {
    /// Provision metrics, plans and taxes, and every tenant's customer and subscription; repeating it changes nothing.
    Setup,
    /// Show what a tenant would be invoiced if its period ended now.
    Usage {
        /// The tenant.
        tenant: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// The billing system is away, or refuses.
pub fn run(settings: &Settings, command: &BillingCommand) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let lago = parts::lago(settings)?.context("billing.lago_url is not set")?;
        match command {
            BillingCommand::Setup => {
                print!("{}", setup(&lago).await?);
                println!("{} tenants have a customer and a subscription", accounts(settings, lago).await?);
            }
            BillingCommand::Usage { tenant, json } => {
                let usage = lago.current_usage(&ExternalId::parse(tenant)?).await?;
                if *json {
                    println!("{}", serde_json::to_string_pretty(&usage)?);
                } else {
                    print!("{}", table(tenant, &usage));
                }
            }
        }
        Ok(())
    })
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

/// Provisions the standard catalogue.
///
/// # Errors
/// The billing system is away, or refuses.
pub async fn setup(lago: &LagoClient) -> Result<String> {
    let report = ::billing::setup(lago, &Catalogue::standard()).await.context("Failed to provision billing")?;
    Ok(report.to_string())
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

fn money(cents: i64, currency: &str) -> String {
    format!("{}.{:02} {currency}", cents / 100, cents.abs() % 100)
}
