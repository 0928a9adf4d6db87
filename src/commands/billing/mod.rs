//! `zama-jobs billing`: what finance does. Provisions the billing system, holds the ledger against it, corrects, and looks
//! after what it refused.

mod conformance;
mod correct;
mod dead_letters;
mod notices;
mod reconcile;
mod setup;
mod usage;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::json;
use settings::Settings;

use super::{Role, parts, process, stand_in};
use crate::output;

pub use setup::provision;
pub use usage::table;

/// The exit codes, as `--help` prints them; those of `zama-jobs chain`, as far as there are such ends.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, or everything is as it should be
  1  the database, the billing system or something else failed
  2  the command line is wrong
  9  something is not as it should be: it was printed
  10 nothing was changed: the question was not answered with yes";

#[derive(Subcommand)]
pub enum BillingCommand {
    /// Provision metrics, plans, taxes and webhook, and every tenant's customer and subscription.
    ///
    /// Shows what is to be done, tenants without an account or a subscription by name, and asks; repeating it changes
    /// nothing. A subscription that was ended in the billing system is told, and left to a person.
    #[command(after_help = EXIT_CODES)]
    Setup(setup::SetupArgs),
    /// Show what a tenant would be invoiced if its period ended now.
    Usage(usage::UsageArgs),
    /// Hold the ledger against the billing system's events, current usage and invoices.
    ///
    /// Tells what it could read: a tenant whose books could not be read has a line that says why, and the command ends
    /// with 1.
    #[command(after_help = EXIT_CODES)]
    Reconcile(reconcile::ReconcileArgs),
    /// Book a correction of a row of the ledger, as a row of its own.
    #[command(after_help = EXIT_CODES)]
    Correct(correct::CorrectArgs),
    /// List what the billing system refused for good, send it again, or write it off.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// List what the billing system told by its webhook in the last 90 days, the newest first; trouble is marked.
    #[command(after_help = EXIT_CODES)]
    Notices(notices::NoticesArgs),
    /// Run the recorded cases that Zama Jobs relies on against a Lago, or the stand-in.
    ///
    /// Makes things under names with a random prefix, removes what can be removed, and tells what stays.
    #[command(after_help = EXIT_CODES)]
    Conformance(conformance::ConformanceArgs),
    /// Have the Lago stand-in make the invoices of a month that is over; Lago does so by its clock.
    CloseMonth {
        /// YYYY-MM
        month: activities::reconciliation::Month,
    },
}

/// How a command ended, beside success and failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    /// Something is not as it should be.
    Trouble,
    /// Something could not be done, and was told with what could.
    Failed,
    /// Nobody said yes.
    Declined,
    /// The command line is wrong, as only its parts together show.
    CommandLine,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::Trouble => Self::from(9),
            End::Failed => Self::FAILURE,
            End::Declined => Self::from(10),
            End::CommandLine => Self::from(2),
        }
    }
}

/// # Errors
/// The billing system or the database is away, or refuses.
pub fn run(settings: &Settings, command: &BillingCommand, json: bool) -> Result<ExitCode> {
    process::run(settings, Role::Tool, |_stop| async {
        let end = match command {
            BillingCommand::Setup(args) => Box::pin(setup::run(settings, args, json)).await?,
            BillingCommand::Usage(args) => usage::run(settings, args, json).await?,
            BillingCommand::Reconcile(args) => Box::pin(reconcile::run(settings, args, json)).await?,
            BillingCommand::Correct(args) => Box::pin(correct::run(settings, args, json)).await?,
            BillingCommand::DeadLetters(command) => dead_letters::run(settings, command, json).await?,
            BillingCommand::Notices(args) => notices::run(settings, args, json).await?,
            BillingCommand::Conformance(args) => Box::pin(conformance::run(settings, args, json)).await?,
            BillingCommand::CloseMonth { month } => {
                let lago = lago(settings)?;
                let made = lago.close_month_of_stand_in(&month.to_string()).await;
                stand_in::name(&lago);
                let made = made.context("Only the stand-in closes a month by command, and one that is over")?;
                match json {
                    true => output::document(&json!({ "month": month.to_string(), "invoices_made": made }))?,
                    false => output::line(format_args!("{made} invoices made for {month}"))?,
                }
                End::Done
            }
        };
        Ok(end.into())
    })
}

/// A reason for the next reader of the ledger.
fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it says nothing".to_owned()) } else { Ok(text.to_owned()) }
}

fn lago(settings: &Settings) -> Result<::billing::LagoClient> {
    parts::lago(settings)?.context("billing.lago_url is not set")
}
