//! A job as `submit` and `quote` take it: built from flags, or read from a file.

mod encrypted;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use jobs::algorithm::Algorithm;
use jobs::submission::Priority;
use serde_json::{Value, json};

use super::encryption::EncryptionArgs;
use super::error::CliError;
use super::globals::Session;
use super::inputs::{exact, job_file, matrix_file, numbers, values_file};
use super::moment::{Moment, duration};
use encrypted::EncryptedArgs;

/// The flags that make a job.
#[derive(Args, Debug)]
pub struct JobSource {
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
    #[command(flatten)]
    encrypted: EncryptedArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

impl JobSource {
    /// The body of the request. Of an encrypted job the inputs are encrypted and uploaded by then.
    pub(super) async fn body(&self, session: &Session) -> Result<Value, CliError> {
        match self.encrypted.fhe {
            Some(algorithm) => Box::pin(encrypted::body(session, self, algorithm, Utc::now())).await,
            None => body(self, Utc::now()),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted.fhe.is_some()
    }

    /// What `decrypt` needs besides the job's id to open its result.
    pub(super) fn flags_to_decrypt(&self) -> String {
        let with = self.encryption.client_key.as_ref();
        with.map_or_else(String::new, |file| format!(" --client-key {}", file.display()))
    }
}

/// The body of a plain job, or of whatever stands in a file.
fn body(args: &JobSource, now: DateTime<Utc>) -> Result<Value, CliError> {
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

fn input(args: &JobSource, algorithm: Algorithm) -> Result<Value, CliError> {
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
