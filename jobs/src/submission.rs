//! The body of `POST /v1/jobs`, read strictly: unknown names, wrong types and contradictions are refused with their
//! pointer, all of them at once.

use std::fmt;
use std::str::FromStr;

use alloy::primitives::B256;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::algorithm::{Algorithm, Input, Parameters, payload_units};
use crate::canonical;
use crate::fhe::{self, EncryptedDataUrl, EncryptedRequest, FheAlgorithm, KeyMode};
use crate::field_error::FieldErrors;
use crate::object::{At, Object};
use crate::usage::Units;
use crate::{ErrorCode, FieldError, QuoteId};

/// What kind of computation a job is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// On plain inputs.
    Compute,
    /// On ciphertexts.
    FheCompute,
}

/// Orders jobs within a tenant only.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

macro_rules! names {
    ($type:ty { $($variant:path => $name:literal),* }) => {
        impl $type {
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($variant => $name),* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok($variant),)*
                    _ => Err(format!("is not one of {}", [$($name),*].join(", "))),
                }
            }
        }
    };
}

names!(JobType { JobType::Compute => "compute", JobType::FheCompute => "fhe_compute" });
names!(Priority { Priority::Low => "low", Priority::Normal => "normal", Priority::High => "high" });

/// What is to be computed, checked as far as it can be without looking anywhere.
#[derive(Clone, Debug)]
pub enum Work {
    /// On plain inputs.
    Plain { input: Input, parameters: Parameters },
    /// On ciphertexts.
    Encrypted {
        request: Box<EncryptedRequest>,
        data: EncryptedDataUrl,
        /// Size of the inputs, once somebody has looked at the blob.
        data_bytes: Option<usize>,
    },
}

/// The quote under which a job is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteChoice {
    pub id: QuoteId,
    /// Content hash of the body without its `quote_id`: of what must have been quoted.
    pub content_hash: B256,
}

/// A submission that passed every check that needs no database.
#[derive(Clone, Debug)]
pub struct Submission {
    pub work: Work,
    pub priority: Priority,
    pub deadline: Option<DateTime<Utc>>,
    pub quote: Option<QuoteChoice>,
    /// SHA-256 of the RFC 8785 form of the whole body.
    pub content_hash: B256,
    /// RFC 8785 form of `payload`, as it is stored and computed on.
    pub payload: String,
}

impl Submission {
    /// Whether the deadline has passed. That is no fault of the body: one that was accepted in time is a replay.
    #[must_use]
    pub fn is_late(&self, now: DateTime<Utc>) -> bool {
        self.deadline.is_some_and(|time| time <= now)
    }

    #[must_use]
    pub fn job_type(&self) -> JobType {
        match self.work {
            Work::Plain { .. } => JobType::Compute,
            Work::Encrypted { .. } => JobType::FheCompute,
        }
    }

    /// The algorithm's name on the wire.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match &self.work {
            Work::Plain { input, .. } => input.algorithm().as_str(),
            Work::Encrypted { request, .. } => request.algorithm().as_str(),
        }
    }

    /// Seconds of computing after which the job fails.
    #[must_use]
    pub fn timeout_seconds(&self) -> u32 {
        match &self.work {
            Work::Plain { parameters, .. } => parameters.timeout_seconds,
            Work::Encrypted { request, .. } => request.timeout_seconds,
        }
    }

    /// SHA-256 of the tenant's blob that the job computes on; `None` where it is fetched from elsewhere.
    #[must_use]
    pub fn blob(&self) -> Option<[u8; 32]> {
        match &self.work {
            Work::Encrypted { data: EncryptedDataUrl::Blob(sha256), .. } => Some(*sha256),
            _ => None,
        }
    }

    /// Id of the tenant's own key that the job computes under.
    #[must_use]
    pub fn client_key(&self) -> Option<[u8; 32]> {
        match &self.work {
            Work::Encrypted { request, .. } if request.key.mode == KeyMode::Client => request.key.key_id.map(|id| id.0),
            _ => None,
        }
    }

    /// A rough guess of the seconds of computing, at least 1; a promise of nothing.
    #[must_use]
    pub fn estimated_seconds(&self) -> u64 {
        match &self.work {
            Work::Plain { input, .. } => input.estimated_seconds(),
            Work::Encrypted { request, .. } => fhe::units::estimated_seconds(request.maximum_pbs()),
        }
    }

    /// The most that the job can cost.
    #[must_use]
    pub fn maximum_units(&self) -> Units {
        self.units(fhe::MAX_BLOB_BYTES, EncryptedRequest::maximum_pbs)
    }

    /// The least that the job costs if it comes to its end: all of it where nothing depends on inputs that nobody has read.
    #[must_use]
    pub fn minimum_units(&self) -> Units {
        self.units(0, EncryptedRequest::minimum_pbs)
    }

    fn units(&self, unseen_bytes: usize, pbs: impl Fn(&EncryptedRequest) -> u64) -> Units {
        let payload = payload_units(self.payload.len());
        match &self.work {
            Work::Plain { input, .. } => Units::plain(payload + input.execution_units()),
            Work::Encrypted { request, data_bytes, .. } => Units {
                compute: payload + payload_units(data_bytes.unwrap_or(unseen_bytes)),
                fhe: fhe::units::units(pbs(request)),
            },
        }
    }
}

/// Why a submission is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub errors: Vec<FieldError>,
}

/// Farthest deadline that is accepted, in days.
const MAX_DEADLINE_DAYS: i64 = 30;

/// Reads a body that [`crate::json::parse`] accepted. `public_origin` is where clients find this service, so that the
/// URLs of its blobs are known.
///
/// # Errors
/// [`Refusal`] with `JOB_VALIDATION_FAILED` and every wrong field, or `UNKNOWN_ALGORITHM`.
pub fn read(body: &Value, now: DateTime<Utc>, public_origin: &str) -> Result<Submission, Refusal> {
    let mut errors = FieldErrors::default();
    let submission = read_body(body, now, public_origin, &mut errors);
    errors.or(submission).map_err(invalid)
}

/// Reads a body that is to be quoted: one to be submitted, which has no quote yet.
///
/// # Errors
/// As of [`read`].
pub fn read_to_quote(body: &Value, now: DateTime<Utc>, public_origin: &str) -> Result<Submission, Refusal> {
    let mut errors = FieldErrors::default();
    let submission = read_body(body, now, public_origin, &mut errors);
    if body.get("quote_id").is_some() {
        errors.add("/quote_id", "belongs to the submission: what is quoted has none");
    }
    errors.or(submission).map_err(invalid)
}

fn read_body(body: &Value, now: DateTime<Utc>, public_origin: &str, errors: &mut FieldErrors) -> Option<Submission> {
    let mut top = Object::open(&At::root(body), errors)?;
    let job_type = top.required("type").and_then(|at| at.parsed::<JobType>(errors));
    let priority = top.optional("priority").map_or(Some(Priority::default()), |at| at.parsed(errors));
    let use_fhe = top
        .optional_alias("use_fhe", "useFHE", errors)
        .and_then(|at| at.boolean(errors).map(|flag| (flag, at.pointer)));
    let deadline = top.optional("deadline").and_then(|at| at.time(errors));
    let quote_id = top.optional("quote_id").map(|at| at.parsed::<QuoteId>(errors));
    let payload = top.required("payload");
    top.close(errors);

    if let (Some(kind), Some((flag, pointer))) = (job_type, use_fhe)
        && flag != (kind == JobType::FheCompute)
    {
        errors.add(pointer, "does not agree with /type");
    }
    if deadline.is_some_and(|time| time > now + chrono::Duration::days(MAX_DEADLINE_DAYS)) {
        errors.add("/deadline", format!("is more than {MAX_DEADLINE_DAYS} days away"));
    }
    let payload = payload?;
    let work = read_work(&payload, job_type, public_origin, errors);
    let content_hash = canonical::content_hash(body);
    let payload = canonical::text(payload.value);
    let quote = match quote_id {
        None => None,
        Some(id) => Some(QuoteChoice { id: id?, content_hash: quoted_hash(body) }),
    };
    Some(Submission { work: work?, priority: priority?, deadline, quote, content_hash, payload })
}

fn quoted_hash(body: &Value) -> B256 {
    let mut quoted = body.clone();
    quoted.as_object_mut().map(|fields| fields.remove("quote_id"));
    canonical::content_hash(&quoted)
}

/// An unknown algorithm has a code of its own, but only when nothing else is wrong.
fn invalid(errors: Vec<FieldError>) -> Refusal {
    let only_algorithm = errors.len() == 1 && errors[0].reason.starts_with(NO_ALGORITHM);
    let code = if only_algorithm { ErrorCode::UnknownAlgorithm } else { ErrorCode::JobValidationFailed };
    Refusal { code, errors }
}

const NO_ALGORITHM: &str = "is not an algorithm of type";

/// A payload is read as its type says; without a type, as its algorithm does, so that one wrong word hides nothing.
fn read_work(
    payload: &At<'_>,
    job_type: Option<JobType>,
    public_origin: &str,
    errors: &mut FieldErrors,
) -> Option<Work> {
    let name = payload.value.get("algorithm").and_then(Value::as_str);
    let plain = name.is_some_and(|name| name.parse::<Algorithm>().is_ok());
    let encrypted = name.is_some_and(|name| name.parse::<FheAlgorithm>().is_ok());
    let known = match job_type {
        Some(JobType::Compute) => plain,
        Some(JobType::FheCompute) => encrypted,
        None => plain || encrypted,
    };
    if name.is_some() && !known {
        let kind = job_type.map_or("compute or fhe_compute", JobType::as_str);
        errors.add(format!("{}/algorithm", payload.pointer), format!("{NO_ALGORITHM} {kind}"));
        return None;
    }
    if encrypted || job_type == Some(JobType::FheCompute) {
        read_encrypted(payload, public_origin, errors)
    } else {
        read_plain(payload, errors)
    }
}

fn read_plain(payload: &At<'_>, errors: &mut FieldErrors) -> Option<Work> {
    let mut fields = Object::open(payload, errors)?;
    let algorithm = fields.required("algorithm").and_then(|at| at.parsed::<Algorithm>(errors));
    let input = fields.optional("input");
    let parameters = fields.optional("parameters");
    fields.close(errors);

    let parameters = Parameters::parse(parameters.map(|at| at.value));
    let parameters = keep(parameters, &format!("{}/parameters", payload.pointer), errors);
    let input = Input::parse(algorithm?, input.map(|at| at.value));
    let input = keep(input, &format!("{}/input", payload.pointer), errors);
    Some(Work::Plain { input: input?, parameters: parameters? })
}

fn read_encrypted(payload: &At<'_>, public_origin: &str, errors: &mut FieldErrors) -> Option<Work> {
    let request = keep(EncryptedRequest::parse_payload(payload.value), &payload.pointer, errors)?;
    match request.data(public_origin) {
        Ok(data) => Some(Work::Encrypted { request: Box::new(request), data, data_bytes: None }),
        Err(reason) => {
            errors.add(format!("{}/encrypted_data_url", payload.pointer), reason.to_string());
            None
        }
    }
}

fn keep<T>(result: Result<T, Vec<FieldError>>, pointer: &str, errors: &mut FieldErrors) -> Option<T> {
    result.map_err(|found| errors.extend_under(found, pointer)).ok()
}

#[cfg(test)]
mod garbage;
#[cfg(test)]
mod tests;
