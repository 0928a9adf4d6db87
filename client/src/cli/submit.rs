//! `submit`: builds a job from flags or reads it from a file, and sends it.

mod encrypted;

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use clap::Args;
use jobs::IdempotencyKey;
use jobs::algorithm::Algorithm;
use jobs::submission::Priority;
use jobs::wire::Accepted;
use serde_json::{Value, json};

use super::card;
use super::encryption::EncryptionArgs;
use super::error::CliError;
use super::exit::Exit;
use super::follow::follow;
use super::globals::Session;
use super::inputs::{exact, job_file, matrix_file, numbers, values_file};
use super::moment::{Moment, duration};
use super::paint::Paint;
use super::table::pairs;
use crate::submit::{Answer, Submitted};
use encrypted::EncryptedArgs;

/// What `submit` takes.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// prime_factorization, statistical_analysis or matrix_multiplication; for encrypted jobs see --fhe
    #[arg(required_unless_present_any = ["file", "fhe"])]
    algorithm: Option<Algorithm>,
    /// The whole job as JSON, as POST /v1/jobs takes it; - for stdin
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["algorithm", "number", "values", "values_file", "a", "b", "timeout", "priority", "deadline", "fhe"])]
    file: Option<String>,
    /// prime_factorization: the number, up to 128 bits
    #[arg(long, value_name = "N")]
    number: Option<u128>,
    /// statistical_analysis, and with --fhe what is to be encrypted: the values
    #[arg(long, value_name = "1,2,3", allow_hyphen_values = true, conflicts_with = "values_file")]
    values: Option<String>,
    /// statistical_analysis: a file of values, as JSON or plain numbers; - for stdin
    #[arg(long, value_name = "FILE")]
    values_file: Option<String>,
    /// matrix_multiplication: a file with the left factor, as JSON or a row a line; - for stdin
    #[arg(long, value_name = "FILE")]
    a: Option<String>,
    /// matrix_multiplication: a file with the right factor
    #[arg(long, value_name = "FILE")]
    b: Option<String>,
    /// Most time of computing (300, 5m)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// low, normal or high: orders the tenant's own jobs
    #[arg(long)]
    priority: Option<Priority>,
    /// Fail the job if it has not been computed by then (10m, 2026-01-31T12:00:00Z). To repeat a submission under its
    /// key, give the time in full: a relative one makes another body each time
    #[arg(long, value_name = "TIME")]
    deadline: Option<Moment>,
    /// Name of this submission: the same key and job never run twice within 24 hours [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    /// Follow the job to its end and show it
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after this time (90s, 10m); the job goes on
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    max_wait: Option<Duration>,
    #[command(flatten)]
    encrypted: EncryptedArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

pub(super) async fn submit(session: &Session, args: SubmitArgs) -> Result<Exit, CliError> {
    let body = match args.encrypted.fhe {
        Some(algorithm) => Box::pin(encrypted::body(session, &args, algorithm, Utc::now())).await?,
        None => body(&args, Utc::now())?,
    };
    let client = session.client()?;
    let key = args.idempotency_key.unwrap_or_else(IdempotencyKey::generate);
    let submitted =
        client.submit(&body, Some(key.clone()), None).await.map_err(|source| CliError::Submission { source, key })?;
    if args.wait {
        let id = submitted.job_id();
        session.output.notice(&format!("job {id} accepted{}, idempotency key {}", again(&submitted), submitted.key));
        let exit = follow(session, &client, id, args.max_wait).await?;
        if args.encrypted.fhe.is_some() && exit == Exit::Success {
            let with = args.encryption.client_key.as_ref();
            let with = with.map_or_else(String::new, |file| format!(" --client-key {}", file.display()));
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

/// The body of the request.
fn body(args: &SubmitArgs, now: chrono::DateTime<Utc>) -> Result<Value, CliError> {
    if let Some(flag) = args.encrypted.first_given().or(args.encryption.first_given()) {
        return Err(CliError::usage(format!("{flag} belongs to encrypted jobs: give --fhe ALGORITHM")));
    }
    if let Some(file) = &args.file {
        return job_file(file);
    }
    let algorithm = args.algorithm.ok_or_else(|| CliError::usage("give an algorithm, or a job with --file"))?;
    let mut payload = json!({ "algorithm": algorithm, "input": input(args, algorithm)? });
    if let Some(timeout) = args.timeout {
        payload["parameters"] = json!({ "timeout": timeout.as_secs() });
    }
    let mut body = json!({ "type": "compute", "payload": payload });
    if let Some(priority) = args.priority {
        body["priority"] = json!(priority);
    }
    if let Some(deadline) = args.deadline {
        body["deadline"] = json!(deadline.after(now).to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    Ok(body)
}

fn input(args: &SubmitArgs, algorithm: Algorithm) -> Result<Value, CliError> {
    let flags = [
        ("--number", args.number.is_some(), Algorithm::PrimeFactorization),
        ("--values", args.values.is_some(), Algorithm::StatisticalAnalysis),
        ("--values-file", args.values_file.is_some(), Algorithm::StatisticalAnalysis),
        ("--a", args.a.is_some(), Algorithm::MatrixMultiplication),
        ("--b", args.b.is_some(), Algorithm::MatrixMultiplication),
    ];
    if let Some((flag, _, owner)) = flags.into_iter().find(|(_, given, owner)| *given && *owner != algorithm) {
        return Err(CliError::usage(format!("{flag} belongs to {owner}, not to {algorithm}")));
    }
    let missing = |flags: &str| CliError::usage(format!("{algorithm} needs {flags}"));
    match algorithm {
        Algorithm::PrimeFactorization => {
            args.number.map(|number| json!({ "number": exact(number) })).ok_or_else(|| missing("--number N"))
        }
        Algorithm::StatisticalAnalysis => match (&args.values, &args.values_file) {
            (Some(text), _) => {
                let values = numbers(text).map_err(|fault| CliError::usage(format!("--values: {fault}")))?;
                Ok(json!({ "values": values }))
            }
            (None, Some(file)) => Ok(json!({ "values": values_file(file)? })),
            (None, None) => Err(missing("--values 1,2,3 or --values-file FILE")),
        },
        Algorithm::MatrixMultiplication => match (&args.a, &args.b) {
            (Some(a), Some(b)) if a == "-" && b == "-" => {
                Err(CliError::usage("only one of --a and --b can be read from stdin"))
            }
            (Some(a), Some(b)) => Ok(json!({ "a": matrix_file(a)?, "b": matrix_file(b)? })),
            _ => Err(missing("--a FILE and --b FILE")),
        },
    }
}

#[cfg(test)]
mod tests;
