//! `zama-jobs billing usage`: what Lago would invoice now.

use ::billing::{CurrentUsage, ExternalId};
use anyhow::Result;
use clap::Args;
use settings::Settings;

use super::{End, lago};

/// What `usage` takes.
#[derive(Args)]
pub struct UsageArgs {
    /// The tenant.
    tenant: String,
}

pub(super) async fn run(settings: &Settings, args: &UsageArgs, json: bool) -> Result<End> {
    let usage = lago(settings)?.current_usage(&ExternalId::parse(&args.tenant)?).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&usage)?);
    } else {
        print!("{}", table(&args.tenant, &usage));
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

fn money(cents: i64, currency: &str) -> String {
    format!("{}.{:02} {currency}", cents / 100, cents.abs() % 100)
}
