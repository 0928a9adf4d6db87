//! The CLI's commands about jobs: what they take, and how each is run. Results go to stdout, all else to stderr.

mod access;
mod api_keys;
mod audit;
mod card;
mod chain_args;
mod credentials;
mod decrypt;
mod dev_env;
mod encrypt;
mod encryption;
mod error;
mod exit;
mod follow;
mod globals;
mod inputs;
mod job_source;
mod keys;
mod list;
mod login;
mod moment;
mod outcome;
mod output;
mod paint;
mod progress;
mod quote;
mod secrets;
mod submit;
mod table;
mod trust_args;
mod usage;
mod values;
mod verify;
mod verify_files;
mod whoami;
mod working;

use std::process::ExitCode;

use chain::AccessChange;
use clap::{Args, Subcommand};
use jobs::JobId;

pub use dev_env::DevEnv;
pub use error::CliError;
pub use exit::{EXIT_CODES, Exit};
pub use globals::Globals;
pub use moment::Moment;

use globals::Session;

use crate::cancel::Cancelled;

/// The commands about jobs. The binary flattens them into its own.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Submit a job, and follow it to its end with --wait.
    #[command(after_help = EXIT_CODES)]
    Submit(Box<submit::SubmitArgs>),
    /// Tell what a job would cost at most; who submits it with --quote within fifteen minutes pays no more.
    #[command(after_help = EXIT_CODES)]
    Quote(Box<quote::QuoteArgs>),
    /// Show a job.
    #[command(after_help = EXIT_CODES)]
    Status(JobArgs),
    /// Wait until a job has ended, showing its progress.
    #[command(after_help = EXIT_CODES)]
    Wait(follow::WaitArgs),
    /// List jobs, newest first.
    #[command(after_help = EXIT_CODES)]
    List(Box<list::ListArgs>),
    /// Cancel a job. One that is past its computation stays as it is.
    #[command(after_help = EXIT_CODES)]
    Cancel(JobArgs),
    /// Fetch a job's result and check its hash.
    #[command(after_help = EXIT_CODES)]
    Result(outcome::ResultArgs),
    /// Fetch a job's receipt, which anyone can verify without this service.
    #[command(after_help = EXIT_CODES)]
    Receipt(outcome::ReceiptArgs),
    /// Verify a receipt, against the chain or against a root that you trust.
    #[command(after_help = EXIT_CODES)]
    Verify(Box<verify::VerifyArgs>),
    /// Encrypt values on this machine, for a job.
    #[command(after_help = EXIT_CODES)]
    Encrypt(Box<encrypt::EncryptArgs>),
    /// Fetch an encrypted job's result, check where it comes from, and open it on this machine.
    #[command(after_help = EXIT_CODES)]
    Decrypt(Box<decrypt::DecryptArgs>),
    /// Let another address read an encrypted job's result. A transaction on chain: costs the submitter gas.
    #[command(after_help = EXIT_CODES)]
    Grant(access::AccessArgs),
    /// Take back what `grant` gave. A transaction on chain: costs the submitter gas.
    #[command(after_help = EXIT_CODES)]
    Revoke(access::AccessArgs),
    /// Keys to encrypt under, to seal to and to sign with.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Keys that programs use in place of access tokens.
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeysCommand),
    /// What was done in the tenant's name, for its admins: list, export, verify.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Show what was metered.
    #[command(after_help = EXIT_CODES)]
    Usage(usage::UsageArgs),
    /// Log in as yourself: in a browser, with a one-time login code. The login renews itself for 30 days.
    #[command(after_help = EXIT_CODES)]
    Login(login::LoginArgs),
    /// End the login and forget it.
    #[command(after_help = EXIT_CODES)]
    Logout,
    /// Show who the token or API key speaks for: tenant, user, scopes, and the address that jobs belong to.
    #[command(after_help = EXIT_CODES)]
    Whoami,
}

/// A command about one job.
#[derive(Args, Debug)]
pub struct JobArgs {
    /// Id of the job.
    pub id: JobId,
}

/// Runs a command and prints what it has to say, errors included.
pub async fn run(command: JobsCommand, globals: Globals) -> ExitCode {
    let session = Session::new(globals);
    let outcome = match command {
        JobsCommand::Submit(args) => Box::pin(submit::submit(&session, *args)).await,
        JobsCommand::Quote(args) => Box::pin(quote::quote(&session, &args)).await,
        JobsCommand::Status(args) => status(&session, &args).await,
        JobsCommand::Wait(args) => follow::wait(&session, &args).await,
        JobsCommand::List(args) => list::list(&session, *args).await,
        JobsCommand::Cancel(args) => cancel(&session, &args).await,
        JobsCommand::Result(args) => outcome::result(&session, &args).await,
        JobsCommand::Receipt(args) => outcome::receipt(&session, &args).await,
        JobsCommand::Verify(args) => Box::pin(verify::verify(&session, &args)).await,
        JobsCommand::Encrypt(args) => Box::pin(encrypt::encrypt(&session, &args)).await,
        JobsCommand::Decrypt(args) => Box::pin(decrypt::decrypt(&session, &args)).await,
        JobsCommand::Grant(args) => Box::pin(access::change(&session, &args, AccessChange::Grant)).await,
        JobsCommand::Revoke(args) => Box::pin(access::change(&session, &args, AccessChange::Revoke)).await,
        JobsCommand::Keys(command) => Box::pin(keys::keys(&session, &command)).await,
        JobsCommand::ApiKeys(command) => Box::pin(api_keys::api_keys(&session, &command)).await,
        JobsCommand::Audit(command) => Box::pin(audit::audit(&session, &command)).await,
        JobsCommand::Usage(args) => usage::usage(&session, &args).await,
        JobsCommand::Login(args) => Box::pin(login::login(&session, &args)).await,
        JobsCommand::Logout => Box::pin(login::logout(&session)).await,
        JobsCommand::Whoami => whoami::whoami(&session).await,
    };
    let exit = outcome.unwrap_or_else(|error| session.output.failure(&error));
    exit.into()
}

async fn status(session: &Session, args: &JobArgs) -> Result<Exit, CliError> {
    let job = session.client()?.job(args.id).await?;
    session.output.job(&job)?;
    Ok(Exit::Success)
}

async fn cancel(session: &Session, args: &JobArgs) -> Result<Exit, CliError> {
    let cancelled = session.client()?.cancel(args.id).await?;
    match &cancelled {
        Cancelled::Job(job) => session.output.job(job)?,
        Cancelled::Summary(summary) => {
            let lines = [("Job", summary.job_id.to_string()), ("Status", summary.status.to_string())];
            session.output.result(summary, |_| table::pairs(&lines))?;
        }
    }
    let notice = match cancelled.status() {
        jobs::JobStatus::Cancelled => return Ok(Exit::Success),
        status if status.is_cancellable() => "the job will be cancelled in a moment".to_owned(),
        status => format!("the job is {status} already: it stays so"),
    };
    session.output.notice(&notice);
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests;
