//! `wait`: follows a job to its end.

use std::time::Duration;

use clap::Args;
use jobs::JobId;
use jobs::wire::Job;

use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::moment::duration;
use super::progress::Progress;
use crate::error::ClientError;
use crate::transport::Client;
use crate::wait::{WaitOptions, Waited};

/// What `wait` takes.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// Id of the job.
    pub id: JobId,
    /// Give up after this time (90s, 10m, 1h30m); the job goes on
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub max_wait: Option<Duration>,
}

pub(super) async fn wait(session: &Session, args: &WaitArgs) -> Result<Exit, CliError> {
    follow(session, &session.client()?, args.id, args.max_wait).await
}

/// Shows a job's progress until it has ended or the time is up, then prints it.
pub(super) async fn follow(
    session: &Session,
    client: &Client,
    id: JobId,
    max_wait: Option<Duration>,
) -> Result<Exit, CliError> {
    let waited = watch(client, id, max_wait).await?;
    session.output.job(waited.job())?;
    if let Waited::TimedOut(job) = &waited {
        session.output.notice(&format!("the job is {} still; wait on with: zama-jobs wait {id}", job.status));
    }
    Ok(Exit::of_waited(&waited))
}

/// Shows a job's progress until it has ended or the time is up.
pub(super) async fn watch(client: &Client, id: JobId, max_wait: Option<Duration>) -> Result<Waited, ClientError> {
    let mut progress = Progress::start();
    let options = WaitOptions { max_wait, ..WaitOptions::default() };
    let waited = client.wait(id, options, |job: &Job| progress.show(job)).await;
    progress.finish();
    waited
}
