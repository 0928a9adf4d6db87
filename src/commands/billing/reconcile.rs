//! `zama-jobs billing reconcile`: ledger and billing system side by side, a line for each tenant and metric.

use std::sync::Arc;

use ::billing::reconciliation::Line;
use activities::reconciliation::{Month, Reconciler, Repaired, TenantReport};
use anyhow::{Result, ensure};
use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::json;
use settings::Settings;

use super::{End, lago};
use crate::commands::parts;

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
    /// Send again what the billing system lacks, book anew what it can bill no more, then compare again.
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
    let reconciler = Reconciler { pool, lago: Arc::new(lago(settings)?) };
    let month = args.month.unwrap_or_else(|| Month::of(Utc::now()));
    let mut reports = reconciler.all(month, args.tenant.as_deref()).await?;
    let mut repaired = None;
    if args.repair && reports.iter().any(TenantReport::has_drifted) {
        repaired = Some(reconciler.repair(&reports).await?);
        reports = reconciler.all(month, args.tenant.as_deref()).await?;
    }
    let format = if json { Format::Json } else { args.format };
    print!("{}", printed(&reports, repaired, format)?);
    if let (Some(Repaired { sent, booked_anew, left }), false) = (repaired, format == Format::Json) {
        eprintln!("sent again: {sent}; booked anew: {booked_anew}; left for a person: {left}");
    }
    Ok(if reports.iter().any(TenantReport::has_drifted) { End::Trouble } else { End::Done })
}

fn printed(reports: &[TenantReport], repaired: Option<Repaired>, format: Format) -> Result<String> {
    let lines = || reports.iter().flat_map(|report| report.lines.iter().map(move |line| (report, line)));
    Ok(match format {
        Format::Json => {
            let drifting = lines().filter(|(_, line)| line.has_drifted()).count();
            format!("{:#}\n", json!({ "drifting": drifting, "tenants": reports, "repaired": repaired }))
        }
        Format::Csv => {
            let head = "month,tenant,metric,ledger,waiting,events,billed,missing,foreign,differing,too_late,drift\n";
            lines().fold(head.to_owned(), |text, (report, line)| text + &fields(report, line).join(",") + "\n")
        }
        Format::Table => table(reports),
    })
}

/// Numbers and names that need no quotes.
fn fields(report: &TenantReport, line: &Line) -> [String; 12] {
    [
        report.month.to_string(),
        report.tenant.clone(),
        line.metric.clone(),
        line.ledger.to_string(),
        line.waiting.to_string(),
        line.events.to_string(),
        line.billed.as_ref().map_or_else(String::new, ToString::to_string),
        line.missing.len().to_string(),
        line.foreign.len().to_string(),
        line.differing.len().to_string(),
        line.too_late.len().to_string(),
        line.has_drifted().to_string(),
    ]
}

fn table(reports: &[TenantReport]) -> String {
    let row = |cells: [&str; 7]| {
        let [tenant, metric, ledger, waiting, events, billed, says] = cells;
        format!("{tenant:<20} {metric:<20} {ledger:>16} {waiting:>12} {events:>16} {billed:>16}  {says}\n")
    };
    let mut text = row(["TENANT", "METRIC", "LEDGER", "WAITING", "EVENTS", "BILLED", ""]);
    for report in reports {
        for line in &report.lines {
            let [_, tenant, metric, ledger, waiting, events, billed, ..] = &fields(report, line);
            let billed = if line.billed.is_some() { billed.as_str() } else { "-" };
            text += &row([tenant, metric, ledger, waiting, events, billed, &says(line)]);
        }
        if report.waiting > 0 {
            text += &row([&report.tenant, "", "", "", "", "", &format!("{} rows were never sent", report.waiting)]);
        }
    }
    text
}

/// What is wrong with a line, and the first rows of it.
fn says(line: &Line) -> String {
    if !line.has_drifted() {
        return "ok".to_owned();
    }
    let named = [
        ("missing", &line.missing),
        ("unknown here", &line.foreign),
        ("of another content", &line.differing),
        ("too late for their invoice", &line.too_late),
    ];
    let told: Vec<String> = named
        .iter()
        .filter_map(|(what, ids)| ids.first().map(|first| format!("{} {what} ({first} …)", ids.len())))
        .collect();
    if told.is_empty() { "DRIFT: the sums differ".to_owned() } else { format!("DRIFT: {}", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use ::billing::Metric;
    use ::billing::reconciliation::{Billed, LedgerRow, RowState, compare};

    use super::*;

    fn reports() -> Vec<TenantReport> {
        let row = LedgerRow {
            id: "019c:compute_units:0".to_owned(),
            metric: Metric::ComputeUnits,
            units: 3u64.into(),
            timestamp: 1,
            state: RowState::Delivered,
        };
        let lines =
            compare(&[row], &[], &Billed { units: Some([].into()), units_before: Some([].into()), closed: vec![] });
        vec![TenantReport { tenant: "acme".to_owned(), month: "2026-11".parse().unwrap(), waiting: 2, lines }]
    }

    #[test]
    fn a_drift_is_told_in_every_form() {
        let reports = reports();
        let csv = printed(&reports, None, Format::Csv).unwrap();
        assert!(csv.ends_with("drift\n2026-11,acme,compute_units,3,0,0,0,1,0,0,0,true\n"), "{csv}");
        let table = printed(&reports, None, Format::Table).unwrap();
        assert!(table.contains("DRIFT: 1 missing (019c:compute_units:0 …)"), "{table}");
        assert!(table.contains("2 rows were never sent"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&printed(&reports, None, Format::Json).unwrap()).unwrap();
        assert_eq!((&json["drifting"], &json["tenants"][0]["lines"][0]["ledger"]), (&json!(1), &json!("3")));
    }
}
