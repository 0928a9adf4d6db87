//! `zama-jobs billing correct`: a correction is a row of its own, with a reason; what it corrects stays.

use std::sync::Arc;

use activities::billing_delivery::BillingDelivery;
use activities::reconciliation::Month;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use jobs::usage::{Metric, Quantity};
use serde_json::json;
use settings::Settings;
use store::PgPool;
use store::audit::Draft;
use store::usage::corrections::{self, Corrected, Correction};

use super::{End, reason};
use crate::commands::{parts, stand_in};
use crate::output;

/// What `correct` takes.
#[derive(Args)]
pub struct CorrectArgs {
    /// Id of the row, as `zama-jobs usage` and the billing system have it.
    #[arg(value_parser = row)]
    row: Row,
    /// Units to add; less than nothing takes back. In the metric's own units.
    #[arg(long, allow_hyphen_values = true)]
    units: Quantity,
    /// Why, for the next reader of the ledger.
    #[arg(long, value_parser = reason)]
    reason: String,
}

/// Id of a row, which says of which metric it is.
#[derive(Clone)]
struct Row {
    id: String,
    metric: Metric,
}

fn row(id: &str) -> Result<Row, String> {
    let metric = id.split(':').nth(1).and_then(|name| name.parse().ok());
    let metric = metric.ok_or_else(|| "no id of a row: JOB:METRIC:SEGMENT".to_owned())?;
    Ok(Row { id: id.to_owned(), metric })
}

pub(super) async fn run(settings: &Settings, args: &CorrectArgs, json: bool) -> Result<End> {
    let CorrectArgs { row: Row { id: row, metric }, units, reason } = args;
    let metric = *metric;
    let Some(counted) = metric.counted(units).filter(|counted| *counted != 0) else {
        output::failure(format_args!("{units} is no number of {metric} to add"));
        return Ok(End::CommandLine);
    };
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    // More units are billed in any period.
    let open_from = if counted < 0 { open_from(settings, &pool, row).await? } else { Some(DateTime::UNIX_EPOCH) };
    let correction = Correction { row, units: counted, reason, open_from };
    let audit = Draft::by_operator("billing correct", json!({ "units": units.to_string() }));
    let told = match corrections::correct(&pool, correction, &audit).await? {
        Corrected::Booked(id) => {
            let month = Month::of(Utc::now());
            if json {
                output::document(&json!({ "id": id, "corrects": row, "units": units, "month": month }))?;
            } else {
                output::line(format_args!("{id}: {units} {metric}, billed in {month} or later"))?;
            }
            return Ok(End::Done);
        }
        refused => refusal(row, metric, &refused),
    };
    bail!(told)
}

/// Why a correction was not booked, and what there is to do instead.
fn refusal(row: &str, metric: Metric, refused: &Corrected) -> String {
    match refused {
        Corrected::Booked(id) => format!("{row} is corrected by {id}"),
        Corrected::NoSuchRow => format!("there is no row {row}"),
        Corrected::NotCorrectable { instead: Some(instead) } => {
            format!("{row} is a correction, or was taken back: correct {instead}")
        }
        Corrected::NotCorrectable { instead: None } => format!("{row} was written off: it is billed by nothing"),
        Corrected::DeadLetter => format!(
            "{row} is a dead letter, which nothing bills: a correction would count without it. Have it sent again first \
             (zama-jobs billing dead-letters retry {row}), or, if it is never to be billed, write it off \
             (zama-jobs billing dead-letters write-off {row} --reason TEXT)"
        ),
        Corrected::BelowNothing => format!("{row} would amount to less than nothing"),
        Corrected::BeyondCounting => {
            format!("nothing amounts to more than {} {metric}: is it mistyped?", metric.quantity(corrections::MOST))
        }
        Corrected::BeyondCeiling(units) => {
            format!("{row} would amount to more than {units}, which the job's quote allows")
        }
        Corrected::BelowOpenPeriod(counted) => format!(
            "the open period has {have} {metric}, and none is billed for less than nothing: what goes beyond that would \
             never be given back. Take back {have} at most, and give back the rest by a credit note in the billing system",
            have = metric.quantity(*counted)
        ),
        Corrected::NoOpenPeriod => format!(
            "the subscription of the tenant of {row} has ended: give back by a credit note in the billing system"
        ),
    }
}

/// First moment of the open period of a row's tenant, which has none once its subscription has ended. Without a billing
/// system nothing is on an invoice.
async fn open_from(settings: &Settings, pool: &PgPool, row: &str) -> Result<Option<DateTime<Utc>>> {
    let (Some(lago), Some(tenant)) = (parts::lago(settings)?, corrections::tenant_of(pool, row).await?) else {
        return Ok(Some(DateTime::UNIX_EPOCH));
    };
    let delivery = BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone());
    let open_from = Box::pin(delivery.open_from(&tenant)).await;
    stand_in::name(&delivery.lago);
    open_from.context("Failed to ask the billing system which period is open")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_instead() {
        let told = |refused| refusal("019c:storage_gb_hours:0", Metric::StorageGbHours, &refused);
        let dead = told(Corrected::DeadLetter);
        for command in ["dead-letters retry 019c:", "dead-letters write-off 019c:"] {
            assert!(dead.contains(command), "{dead}");
        }
        let below = told(Corrected::BelowOpenPeriod(1_500_000_000));
        assert!(below.contains("Take back 1.5 at most") && below.contains("credit note"), "{below}");
        assert!(told(Corrected::NoOpenPeriod).contains("has ended: give back by a credit note"));
        assert!(told(Corrected::BeyondCounting).contains("more than 10000000 storage_gb_hours"));
        let anew = told(Corrected::NotCorrectable { instead: Some("019c:storage_gb_hours:0.2".to_owned()) });
        assert!(anew.ends_with("correct 019c:storage_gb_hours:0.2"), "{anew}");
    }
}
