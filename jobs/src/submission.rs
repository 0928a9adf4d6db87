//! The body of `POST /v1/jobs`, read strictly: unknown names, wrong types and contradictions are refused with their
//! pointer, all of them at once.

mod object;

use std::fmt;
use std::str::FromStr;

use alloy::primitives::B256;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::algorithm::{Algorithm, Input, Parameters, payload_units};
use crate::canonical;
use crate::field_error::MAX_FIELD_ERRORS;
use crate::{ErrorCode, FieldError};
use object::Object;

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

/// A submission that passed every check that needs no database.
#[derive(Clone, Debug)]
pub struct Submission {
    pub job_type: JobType,
    pub algorithm: Algorithm,
    pub input: Input,
    pub parameters: Parameters,
    pub priority: Priority,
    pub deadline: Option<DateTime<Utc>>,
    /// SHA-256 of the RFC 8785 form of the whole body.
    pub content_hash: B256,
    /// RFC 8785 form of `payload`, as it is stored and computed on.
    pub payload: String,
}

impl Submission {
    /// Units for carrying the payload: 1 CU a KiB.
    #[must_use]
    pub fn payload_units(&self) -> u64 {
        payload_units(self.payload.len())
    }

    /// The most that the job can cost, in compute units.
    #[must_use]
    pub fn maximum_units(&self) -> u64 {
        self.payload_units() + self.input.execution_units()
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

/// Reads a body that [`crate::json::parse`] accepted.
///
/// # Errors
/// [`Refusal`] with `JOB_VALIDATION_FAILED` and every wrong field, or `UNKNOWN_ALGORITHM`.
pub fn read(body: &Value, now: DateTime<Utc>) -> Result<Submission, Refusal> {
    let mut errors = Vec::new();
    let Some(mut top) = Object::open(body, "", &mut errors) else {
        return Err(invalid(errors));
    };
    let job_type = top.required("type").and_then(|at| at.word::<JobType>(&mut errors));
    let priority = top.optional("priority").map_or(Some(Priority::default()), |at| at.word(&mut errors));
    let use_fhe = top
        .optional_alias("use_fhe", "useFHE", &mut errors)
        .and_then(|at| at.boolean(&mut errors).map(|flag| (flag, at.pointer)));
    let deadline = top.optional("deadline").and_then(|at| at.time(&mut errors));
    let payload = top.required("payload").map(|at| (at.value, at.pointer));
    top.close(&mut errors);

    if let (Some(kind), Some((flag, pointer))) = (job_type, use_fhe)
        && flag != (kind == JobType::FheCompute)
    {
        errors.push(FieldError::new(pointer, "does not agree with /type"));
    }
    if let Some(time) = deadline {
        if time <= now {
            errors.push(FieldError::new("/deadline", "has passed"));
        } else if time > now + chrono::Duration::days(MAX_DEADLINE_DAYS) {
            errors.push(FieldError::new("/deadline", format!("is more than {MAX_DEADLINE_DAYS} days away")));
        }
    }
    let read = payload.and_then(|(value, pointer)| read_payload(value, &pointer, job_type, &mut errors));
    match (job_type, priority, read, payload_text(body)) {
        (Some(job_type), Some(priority), Some((algorithm, input, parameters)), Some(payload)) if errors.is_empty() => {
            let content_hash = canonical::content_hash(body);
            Ok(Submission { job_type, algorithm, input, parameters, priority, deadline, content_hash, payload })
        }
        _ => Err(invalid(errors)),
    }
}

fn payload_text(body: &Value) -> Option<String> {
    body.get("payload").map(canonical::text)
}

/// An unknown algorithm has a code of its own, but only when nothing else is wrong. A body of nonsense is not listed in
/// full.
fn invalid(mut errors: Vec<FieldError>) -> Refusal {
    errors.truncate(MAX_FIELD_ERRORS);
    let only_algorithm = errors.len() == 1 && errors[0].reason.starts_with(NO_ALGORITHM);
    let code = if only_algorithm { ErrorCode::UnknownAlgorithm } else { ErrorCode::JobValidationFailed };
    Refusal { code, errors }
}

const MISSING: &str = "is required";
const NO_ALGORITHM: &str = "is not an algorithm of type";

fn read_payload(
    value: &Value,
    pointer: &str,
    job_type: Option<JobType>,
    errors: &mut Vec<FieldError>,
) -> Option<(Algorithm, Input, Parameters)> {
    let mut payload = Object::open(value, pointer, errors)?;
    let algorithm = payload.required("algorithm").and_then(|at| at.text(errors));
    let input = payload.optional("input");
    let parameters = payload.optional("parameters");
    payload.close(errors);

    let at = format!("{pointer}/parameters");
    let parameters = keep(Parameters::parse(parameters.map(|at| at.value)), &at, errors)?;
    let algorithm = match algorithm?.parse::<Algorithm>() {
        Ok(algorithm) if job_type.is_none_or(|kind| kind == JobType::Compute) => algorithm,
        _ => {
            let kind = job_type.map_or("compute or fhe_compute", JobType::as_str);
            errors.push(FieldError::new("/payload/algorithm", format!("{NO_ALGORITHM} {kind}")));
            return None;
        }
    };
    let at = format!("{pointer}/input");
    let input = keep(Input::parse(algorithm, input.map(|at| at.value)), &at, errors)?;
    Some((algorithm, input, parameters))
}

fn keep<T>(result: Result<T, Vec<FieldError>>, pointer: &str, errors: &mut Vec<FieldError>) -> Option<T> {
    result.map_err(|found| errors.extend(found.into_iter().map(|error| error.under(pointer)))).ok()
}

#[cfg(test)]
mod tests;
