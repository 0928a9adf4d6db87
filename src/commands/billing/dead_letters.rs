//! `zama-jobs billing dead-letters`: what the billing system refused for good, another try, and the end of it.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use jobs::usage::{Metric, Quantity};
use serde_json::{Value, json};
use settings::Settings;
use store::audit::Draft;
use store::usage::dead_letters::{self, DeadLetter, Which};

use super::{End, reason};
use crate::commands::cut::cut;
use crate::commands::{parts, stand_in};
use crate::output;

/// Dead letters that are listed at once.
const LISTED: i64 = 1000;

#[derive(Subcommand)]
pub enum DeadLettersCommand {
    /// List them, the oldest first.
    List {
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Send them again, once the cause is gone: they are due with the reporter's next turn.
    Retry(RetryArgs),
    /// Close one that is never to be billed: a row of its own takes it back, for good.
    WriteOff(WriteOffArgs),
}

/// What is written off, and why.
#[derive(Args)]
pub struct WriteOffArgs {
    /// Id of the row.
    row: String,
    /// Why, for the next reader of the ledger.
    #[arg(long, value_parser = reason)]
    reason: String,
}

/// Which are tried again.
#[derive(Args)]
pub struct RetryArgs {
    /// Ids of rows.
    #[arg(required_unless_present_any = ["tenant", "all"], conflicts_with_all = ["tenant", "all"])]
    rows: Vec<String>,
    /// All of this tenant.
    #[arg(long, conflicts_with = "all")]
    tenant: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(settings: &Settings, command: &DeadLettersCommand, json: bool) -> Result<End> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    match command {
        DeadLettersCommand::List { tenant } => {
            let which = tenant.as_deref().map_or(Which::All, Which::OfTenant);
            let mut letters = dead_letters::list(&pool, which, LISTED + 1).await?;
            let has_more = cut(&mut letters, LISTED);
            stand_in::ask_configured(settings).await;
            if json {
                let data: Vec<Value> = letters.iter().map(document).collect();
                output::document(&json!({ "data": data, "has_more": has_more }))?;
            } else {
                letters.iter().try_for_each(|letter| output::line(line(letter)))?;
            }
            if has_more {
                output::notice(format_args!(
                    "more than {LISTED}: these are the oldest (--tenant TENANT lists one tenant's)"
                ));
            }
        }
        DeadLettersCommand::Retry(args) => {
            let which = match (&args.tenant, args.all) {
                (Some(tenant), _) => Which::OfTenant(tenant),
                (None, true) => Which::All,
                (None, false) => Which::Named(&args.rows),
            };
            let audit = Draft::by_operator("billing dead-letters retry", json!({}));
            let retried = dead_letters::retry(&pool, which, &audit).await?;
            let unknown: Vec<&String> = args.rows.iter().filter(|row| !retried.contains(row)).collect();
            if json {
                output::document(&json!({ "retried": retried, "unknown": unknown }))?;
            } else {
                output::line(format_args!("{} rows are due again", retried.len()))?;
            }
            if !unknown.is_empty() {
                let names: Vec<&str> = unknown.iter().map(|row| row.as_str()).collect();
                bail!("no dead letters: {}", names.join(", "));
            }
        }
        DeadLettersCommand::WriteOff(WriteOffArgs { row, reason }) => {
            let audit = Draft::by_operator("billing dead-letters write-off", json!({}));
            let Some(rows) = dead_letters::write_off(&pool, row, reason, &audit).await? else {
                bail!("{row} is no dead letter");
            };
            if json {
                output::document(&json!({ "written_off": rows }))?;
            } else {
                rows.iter().try_for_each(|row| output::line(format_args!("{row}: written off")))?;
            }
        }
    }
    Ok(End::Done)
}

fn document(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id, "tenant": letter.tenant, "metric": letter.metric, "units": units(letter),
        "occurred_at": letter.occurred_at, "reason": letter.reason
    })
}

fn line(letter: &DeadLetter) -> String {
    let time = output::moment(letter.occurred_at);
    let units = units(letter).map_or_else(|| letter.units.to_string(), |units| units.to_string());
    format!("{time}  {:<20} {units:>12}  {}  {}", letter.tenant, letter.id, letter.reason)
}

/// In the metric's own units, of a metric that there is.
fn units(letter: &DeadLetter) -> Option<Quantity> {
    letter.metric.parse::<Metric>().ok().map(|metric| metric.quantity(letter.units))
}
