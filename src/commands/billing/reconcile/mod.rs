//! `zama-jobs billing reconcile`: ledger and billing system side by side, a line for each tenant and metric.

mod advice;
mod csv;
mod table;

use std::sync::Arc;
use std::time::Duration;

use ::billing::reconciliation::Invoicing;
use activities::billing_delivery::BillingDelivery;
use activities::reconciliation::{Deadlines, Month, PATIENCE, Reconciler, Repaired, TenantReport};
use anyhow::{Result, ensure};
use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::json;
use settings::Settings;

use super::{End, lago};
use crate::commands::token::lifetime;
use crate::commands::{parts, stand_in};
use crate::output;
use advice::advice;
use table::table;

/// What `reconcile` takes.
#[derive(Args)]
pub struct ReconcileArgs {
    /// YYYY-MM; the one that is open when not given.
    #[arg(long)]
    month: Option<Month>,
    /// Only this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// How to print what was found; --json is the same as `--format json`.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// A row that waits for longer is a disagreement, for example 90s, 15m or 12h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    waiting_longer_than: Duration,
    /// Send again what the billing system lacks, book anew what it can bill no more, deliver what waits, make accounts
    /// that are lacking; then compare again.
    #[arg(long)]
    repair: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

pub(super) async fn run(settings: &Settings, args: &ReconcileArgs, json: bool) -> Result<End> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    if let Some(tenant) = &args.tenant {
        ensure!(store::tenants::find(&pool, tenant).await?.is_some(), "there is no tenant {tenant}");
    }
    let lago = Arc::new(lago(settings)?);
    let delivery = Arc::new(BillingDelivery::new(pool, lago.clone(), settings.billing.default_plan.clone()));
    let deadlines =
        Deadlines { delivered_within: args.waiting_longer_than, invoiced_within: settings.billing.invoiced_within() };
    let reconciler = Reconciler::new(delivery, deadlines, PATIENCE);
    let this_month = Month::of(Utc::now());
    let month = args.month.unwrap_or(this_month);
    ensure!(month <= this_month, "{month} has not begun");
    let mut reports = reconciler.all(month, args.tenant.as_deref()).await?;
    let mut repaired = None;
    if args.repair && reports.iter().any(TenantReport::has_drifted) {
        repaired = Some(Box::pin(reconciler.repair(&reports)).await);
        reports = reconciler.all(month, args.tenant.as_deref()).await?;
    }
    stand_in::ask(&lago).await;
    let format = if json { Format::Json } else { args.format };
    output::text(printed(&reports, repaired, format))?;
    if format != Format::Json {
        output::notices(advice(&reports, repaired));
    }
    Ok(end(&reports, repaired))
}

/// What is not known weighs more than what disagrees.
fn end(reports: &[TenantReport], repaired: Option<Repaired>) -> End {
    let is_stopped = repaired.is_some_and(|repaired| repaired.stopped > 0);
    if is_stopped || reports.iter().any(|report| report.unread.is_some()) {
        End::Failed
    } else if reports.iter().any(TenantReport::has_drifted) {
        End::Trouble
    } else {
        End::Done
    }
}

fn printed(reports: &[TenantReport], repaired: Option<Repaired>, format: Format) -> String {
    match format {
        Format::Json => {
            let drifting: usize = reports.iter().map(TenantReport::drifting).sum();
            let unread = reports.iter().filter(|report| report.unread.is_some()).count();
            let told = json!({ "drifting": drifting, "unread": unread, "tenants": reports, "repaired": repaired });
            format!("{told:#}\n")
        }
        Format::Csv => csv::text(reports),
        Format::Table => table(reports),
    }
}

/// Whether a tenant's invoice is told on a line of its own: where it disagrees, or nothing else tells that it is awaited.
fn stands_alone(report: &TenantReport) -> bool {
    match report.invoice {
        Invoicing::NotDue | Invoicing::Made => false,
        Invoicing::Awaited => report.lines.is_empty(),
        Invoicing::Uninvoiced => true,
    }
}

#[cfg(test)]
mod tests;
