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

use super::End;
use crate::commands::{parts, stand_in};
use crate::output;

/// What `correct` takes.
#[derive(Args)]
pub struct CorrectArgs {
    /// Id of the row, as `zama-jobs usage` and the billing system have it.
    row: String,
    /// Units to add; less than nothing takes back. In the metric's own units.
    #[arg(long, allow_hyphen_values = true)]
    units: Quantity,
    /// Why, for the next reader of the ledger.
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(settings: &Settings, args: &CorrectArgs, json: bool) -> Result<End> {
    let CorrectArgs { row, units, reason } = args;
    if reason.trim().is_empty() {
        bail!("a correction needs a reason");
    }
    let Some(metric) = row.split(':').nth(1).and_then(|name| name.parse::<Metric>().ok()) else {
        bail!("{row} is no id of a row: JOB:METRIC:SEGMENT");
    };
    let Some(counted) = metric.counted(units).filter(|counted| *counted != 0) else {
        bail!("{units} is no number of {metric} to add");
    };
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    // More units are billed in any period.
    let open_from = if counted < 0 { open_from(settings, &pool, row).await? } else { DateTime::UNIX_EPOCH };
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
    }
}

/// First moment of the open period of a row's tenant. Without a billing system nothing is on an invoice.
async fn open_from(settings: &Settings, pool: &PgPool, row: &str) -> Result<DateTime<Utc>> {
    let (Some(lago), Some(tenant)) = (parts::lago(settings)?, corrections::tenant_of(pool, row).await?) else {
        return Ok(DateTime::UNIX_EPOCH);
    };
    let delivery = BillingDelivery::new(pool.clone(), Arc::new(lago), settings.billing.default_plan.clone());
    let open_from = Box::pin(delivery.open_from(&tenant)).await;
    stand_in::name(&delivery.lago);
    let open_from = open_from.context("Failed to ask the billing system which period is open")?;
    open_from.with_context(|| {
        format!("the subscription of {tenant} has ended: give back by a credit note in the billing system")
    })
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
        assert!(told(Corrected::BeyondCounting).contains("more than 10000000 storage_gb_hours"));
        let anew = told(Corrected::NotCorrectable { instead: Some("019c:storage_gb_hours:0.2".to_owned()) });
        assert!(anew.ends_with("correct 019c:storage_gb_hours:0.2"), "{anew}");
    }
}
