//! `--fhe`: encrypts and uploads where that is still to be done, and builds the job.

use std::path::PathBuf;

use alloy::primitives::B256;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use fhe::clear::ClearValue;
use jobs::FieldError;
use jobs::fhe::program::ValueType;
use jobs::fhe::{EncryptedRequest, FheAlgorithm};
use serde_json::{Value, json};

use super::super::encrypt::upload;
use super::super::encryption::EncryptionArgs;
use super::super::error::CliError;
use super::super::globals::Session;
use super::super::inputs::read_source;
use super::super::secrets::{recipient_public, refuse_secret};
use super::JobSource;
use crate::encrypted::{EncryptedJob, JobKey, Upload};
use crate::transport::Client;

/// Stands for the inputs until they are uploaded.
const NO_BLOB: &str = "/v1/blobs/0000000000000000000000000000000000000000000000000000000000000000";

/// What only `--fhe` takes.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Encrypted jobs")]
pub struct EncryptedArgs {
    /// Compute on ciphertexts: encrypted_statistical_analysis, encrypted_linear_score, encrypted_maximum,
    /// encrypted_set_membership or program
    #[arg(long, value_name = "ALGORITHM", conflicts_with_all = ["algorithm", "number", "values_file", "a", "b"])]
    pub fhe: Option<FheAlgorithm>,
    /// Inputs that are uploaded already (zama-jobs encrypt --upload), or an https URL of them
    #[arg(long, value_name = "URL", requires = "fhe", conflicts_with_all = ["values", "values_in", "blob_file", "kind", "tenant", "submitter"])]
    blob: Option<String>,
    /// Inputs that are encrypted already (zama-jobs encrypt --out)
    #[arg(long, value_name = "FILE", requires = "fhe", conflicts_with_all = ["values", "values_in", "kind", "tenant", "submitter"])]
    blob_file: Option<PathBuf>,
    /// The algorithm's parameters: JSON, or @FILE
    #[arg(long, value_name = "JSON", requires = "fhe")]
    parameters: Option<String>,
    /// Seal the result to this P-256 key (PEM, either half) unless the retrieval names another
    #[arg(long, value_name = "FILE", requires = "fhe")]
    sealing_key: Option<PathBuf>,
}

impl EncryptedArgs {
    /// The first flag that makes no sense without `--fhe`. clap forgives it where the algorithm of a plain job excludes
    /// `--fhe` itself.
    pub fn first_given(&self) -> Option<&'static str> {
        let flags = [
            ("--blob", self.blob.is_some()),
            ("--blob-file", self.blob_file.is_some()),
            ("--parameters", self.parameters.is_some()),
            ("--sealing-key", self.sealing_key.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// The body of the request; all that can be wrong is found before anything is encrypted.
pub(super) async fn body(
    session: &Session,
    args: &JobSource,
    algorithm: FheAlgorithm,
    now: DateTime<Utc>,
) -> Result<Value, CliError> {
    let encryption = &args.encryption;
    let values = match (&args.encrypted.blob, &args.encrypted.blob_file) {
        (None, None) => Some(encryption.values(args.values.as_deref())?),
        _ => None,
    };
    let job = job(args, algorithm, values.as_deref().unwrap_or_default(), now)?;
    check(&job, values.as_deref())?;
    let client = session.client()?;
    let (url, key) = match (values, &args.encrypted.blob, &args.encrypted.blob_file) {
        (Some(values), ..) => {
            let inputs = encryption.encrypt(session, values).await?;
            let blob = upload(&client, &Upload::of_bytes(inputs.bytes().clone())).await?;
            (blob.url, Some(inputs.key()))
        }
        (None, Some(url), _) => (url.clone(), named_key(&client, encryption).await?),
        (None, None, file) => {
            let file = file.as_ref().ok_or_else(|| CliError::usage("give the inputs"))?;
            refuse_secret(file)?;
            let blob = upload(&client, &Upload::of_file(file).await?).await?;
            (blob.url, named_key(&client, encryption).await?)
        }
    };
    session.output.notice(&format!("the inputs are {url}"));
    Ok(job.body(&url, key))
}

/// The job without its inputs.
pub(super) fn job(
    args: &JobSource,
    algorithm: FheAlgorithm,
    values: &[ClearValue],
    now: DateTime<Utc>,
) -> Result<EncryptedJob, CliError> {
    let mut parameters = match &args.encrypted.parameters {
        Some(text) => parameters(text)?,
        None => json!({}),
    };
    if let Some(timeout) = args.timeout {
        parameters["timeout"] = json!(timeout.as_secs());
    }
    if let Some(first) = values.first()
        && algorithm != FheAlgorithm::Program
        && values.iter().all(|value| value.kind() == first.kind())
    {
        // With them the reservation is exact, and what the algorithm does not take is refused at once.
        for (name, value) in [("value_type", json!(first.kind())), ("count", json!(values.len()))] {
            if parameters.get(name).is_none() {
                parameters[name] = value;
            }
        }
    }
    let mut job = EncryptedJob::new(algorithm.as_str());
    if parameters.as_object().is_some_and(|fields| !fields.is_empty()) {
        job = job.with_parameters(parameters);
    }
    if let Some(file) = &args.encrypted.sealing_key {
        job = job.sealed_to(&recipient_public(file)?);
    }
    if let Some(priority) = args.priority {
        job = job.with("priority", json!(priority));
    }
    if let Some(deadline) = args.deadline {
        job = job.with("deadline", deadline.after(now).to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    Ok(job)
}

fn parameters(text: &str) -> Result<Value, CliError> {
    let (place, bytes) = match text.strip_prefix('@') {
        Some(file) => (file, read_source(file)?),
        None => ("--parameters", text.as_bytes().to_vec()),
    };
    let parameters = jobs::json::parse(&bytes).map_err(|error| CliError::usage(format!("{place}: {error}")))?;
    match parameters.is_object() {
        true => Ok(parameters),
        false => Err(CliError::usage(format!("{place}: parameters are a JSON object"))),
    }
}

/// The rules of the API, and those of the worker about the values where they are at hand, before minutes are spent on
/// proofs.
pub(super) fn check(job: &EncryptedJob, values: Option<&[ClearValue]>) -> Result<(), CliError> {
    let body = job.body(NO_BLOB, None);
    let checked = EncryptedRequest::parse_payload(&body["payload"]).and_then(|request| match values {
        Some(values) => {
            let types: Vec<ValueType> = values.iter().map(|value| value.kind()).collect();
            request.compile(&types).map(|_| ())
        }
        None => Ok(()),
    });
    checked.map_err(|errors| {
        let faults: Vec<String> = errors.iter().map(|fault| format!("{} {}", place(fault), fault.reason)).collect();
        CliError::usage(faults.join("; "))
    })
}

/// The inputs are given as values here.
fn place(fault: &FieldError) -> &str {
    if fault.pointer == "/encrypted_data_url" { "the values" } else { &fault.pointer }
}

/// The key of inputs that were encrypted earlier: whose it is, the API knows.
async fn named_key(client: &Client, encryption: &EncryptionArgs) -> Result<Option<JobKey>, CliError> {
    if let Some(key) = encryption.own_key()? {
        return Ok(Some(JobKey::client(key.id())));
    }
    let Some(key_id) = encryption.key_id else { return Ok(None) };
    mode(client, key_id).await.map(Some)
}

async fn mode(client: &Client, key_id: B256) -> Result<JobKey, CliError> {
    let keys = client.keys().await?;
    match keys.network {
        Some(network) if network.key_id == key_id => Ok(JobKey::network(key_id)),
        _ if keys.client.iter().any(|key| key.key_id == key_id) => Ok(JobKey::client(key_id)),
        _ => Err(CliError::usage(format!("{key_id} is neither the network key nor one that was uploaded"))),
    }
}
