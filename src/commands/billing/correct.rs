//! `zama-jobs billing correct`: a correction is a row of its own, with a reason; what it corrects stays.

use activities::reconciliation::Month;
use anyhow::{Result, bail};
use chrono::Utc;
use clap::Args;
use jobs::usage::{Metric, Quantity};
use serde_json::json;
use settings::Settings;
use store::usage::corrections::{self, Corrected};

use super::End;
use crate::commands::parts;

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
    match corrections::correct(&pool, row, counted, reason).await? {
        Corrected::Booked(id) => {
            let month = Month::of(Utc::now());
            if json {
                println!("{:#}", json!({ "id": id, "corrects": row, "units": units, "month": month }));
            } else {
                println!("{id}: {units} {metric}, billed in {month} or later");
            }
            Ok(End::Done)
        }
        Corrected::NoSuchRow => bail!("there is no row {row}"),
        Corrected::NotCorrectable => {
            bail!("{row} is a correction, or was taken back: correct the row that it stands for")
        }
        Corrected::BelowNothing => bail!("{row} would amount to less than nothing"),
        Corrected::BeyondCeiling(units) => {
            bail!("{row} would amount to more than {units}, which the job's quote allows")
        }
    }
}
