//! `submit`: sends a job, and follows it where that is wanted.

use std::time::Duration;

use clap::Args;
use jobs::wire::Accepted;
use jobs::{IdempotencyKey, QuoteId};
use serde_json::{Value, json};

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::follow::follow;
use super::globals::Session;
use super::job_source::JobSource;
use super::moment::duration;
use super::paint::Paint;
use super::table::pairs;
use crate::submit::{Answer, Submitted};

/// What `submit` takes.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// Name of this submission: the same key and job never run twice within 24 hours [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    /// Submit under this quote (zama-jobs quote): the job costs no more than it says
    #[arg(long, value_name = "ID")]
    quote: Option<QuoteId>,
    /// Follow the job to its end and show it
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after this time (90s, 10m); the job goes on
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    max_wait: Option<Duration>,
    #[command(flatten)]
    pub(super) job: JobSource,
}

pub(super) async fn submit(session: &Session, args: SubmitArgs) -> Result<Exit, CliError> {
    let mut body = args.job.body(session).await?;
    if let Some(quote) = args.quote {
        body["quote_id"] = json!(quote);
    }
    let client = session.client()?;
    let key = args.idempotency_key.unwrap_or_else(IdempotencyKey::generate);
    let submitted =
        client.submit(&body, Some(key.clone()), None).await.map_err(|source| CliError::Submission { source, key })?;
    if args.wait {
        let id = submitted.job_id();
        session.output.notice(&format!("job {id} accepted{}, idempotency key {}", again(&submitted), submitted.key));
        let exit = follow(session, &client, id, args.max_wait).await?;
        if args.job.is_encrypted() && exit == Exit::Success {
            let with = args.job.flags_to_decrypt();
            session.output.notice(&format!("open its result with: zama-jobs decrypt {id}{with}"));
        }
        return Ok(exit);
    }
    match &submitted.answer {
        Answer::Accepted(accepted) => {
            let document = document(accepted, &submitted)?;
            session.output.result(&document, |paint| text(accepted, &submitted, paint))?;
            if !session.output.is_json() {
                session.output.notice(&format!("follow it with: zama-jobs wait {}", accepted.job_id));
            }
            Ok(Exit::Success)
        }
        Answer::Ended(job) => {
            session.output.job(job)?;
            Ok(Exit::of_ended(job))
        }
    }
}

/// The API's answer, with what only its headers say.
fn document(accepted: &Accepted, submitted: &Submitted) -> Result<Value, CliError> {
    let mut document = serde_json::to_value(accepted)
        .map_err(|error| CliError::Write { target: "stdout".to_owned(), source: error.into() })?;
    document["idempotency_key"] = json!(submitted.key);
    document["idempotency_replayed"] = json!(submitted.replayed);
    Ok(document)
}

fn text(accepted: &Accepted, submitted: &Submitted, paint: Paint) -> String {
    pairs(&[
        ("Job", paint.strong(&accepted.job_id.to_string())),
        ("Status", format!("{}{}", paint.status(accepted.status, accepted.status.as_str()), again(submitted))),
        ("Expected", card::time(accepted.estimated_completion)),
        ("Idempotency key", submitted.key.to_string()),
    ])
}

fn again(submitted: &Submitted) -> &'static str {
    if submitted.replayed { " (the answer to an earlier submission with this key)" } else { "" }
}
