//! The one table of errors: it feeds responses, `docs/errors/` and tests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! error_codes {
    ($($name:ident $code:literal $status:literal $retry:ident $title:literal;)*) => {
        /// A typed error, named to clients by its code.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        pub enum ErrorCode {
            $(#[doc = $title] #[serde(rename = $code)] $name,)*
        }

        /// The whole table.
        pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),*];

        impl ErrorCode {
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// HTTP status of a response that carries this code.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Title of the problem: the same for every occurrence (RFC 9457 section 3.1.3).
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What a client does about it.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)* }
            }
        }
    };
}

/// What a client does about an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// The same request fails again; change it.
    Change,
    /// The same request may succeed after `Retry-After`.
    Later,
    /// Get a new token, then send the same request.
    Authenticate,
    /// The same request fails until somebody has done something: an operator, or whoever pays.
    Operator,
}

error_codes! {
    InvalidRequest "INVALID_REQUEST" 400 Change "The request is not valid";
    JobValidationFailed "JOB_VALIDATION_FAILED" 400 Change "The job is not valid";
    UnknownAlgorithm "UNKNOWN_ALGORITHM" 400 Change "The algorithm is not known";
    InvalidIdempotencyKey "INVALID_IDEMPOTENCY_KEY" 400 Change "The idempotency key is not valid";
    InvalidToken "INVALID_TOKEN" 401 Authenticate "The access token is missing or not valid";
    TokenExpired "TOKEN_EXPIRED" 401 Authenticate "The access token has expired";
    MfaRequired "MFA_REQUIRED" 401 Authenticate "A second factor is needed";
    CostCeilingExceeded "COST_CEILING_EXCEEDED" 402 Change "The job costs more than its ceiling";
    CreditsExhausted "CREDITS_EXHAUSTED" 402 Operator "The credits are used up";
    InsufficientScope "INSUFFICIENT_SCOPE" 403 Change "The access token lacks a scope";
    IdentityNotMapped "IDENTITY_NOT_MAPPED" 403 Change "The identity is nobody here";
    AddressNotAllowed "ADDRESS_NOT_ALLOWED" 403 Change "Requests may not come from this address";
    OriginNotAllowed "ORIGIN_NOT_ALLOWED" 403 Change "Pages of this origin may not call the service";
    RequestSignatureInvalid "REQUEST_SIGNATURE_INVALID" 403 Change "The request is not signed as it must be";
    AttestationInvalid "ATTESTATION_INVALID" 403 Change "The result is not attested";
    ResultUnverified "RESULT_UNVERIFIED" 403 Change "The result is not the confirmed one";
    SignatureInvalid "SIGNATURE_INVALID" 403 Change "The signature is not valid";
    SignatureExpired "SIGNATURE_EXPIRED" 403 Change "The signature has expired";
    AccessRevoked "ACCESS_REVOKED" 403 Change "Access to the result was revoked";
    NotFound "NOT_FOUND" 404 Change "There is nothing at this address";
    JobNotFound "JOB_NOT_FOUND" 404 Change "There is no such job";
    QuoteNotFound "QUOTE_NOT_FOUND" 404 Change "There is no such quote";
    MethodNotAllowed "METHOD_NOT_ALLOWED" 405 Change "The method is not allowed here";
    BodyTimeout "BODY_TIMEOUT" 408 Later "The body did not arrive in time";
    RequestInProgress "REQUEST_IN_PROGRESS" 409 Later "A request with this idempotency key is still in progress";
    ResultNotReady "RESULT_NOT_READY" 409 Later "The result is not ready";
    NonceReplayed "NONCE_REPLAYED" 409 Change "The nonce has been used";
    QuoteUsed "QUOTE_USED" 409 Change "The quote was used";
    QuoteExpired "QUOTE_EXPIRED" 409 Change "The quote has expired";
    StillInUse "STILL_IN_USE" 409 Later "A job that has not ended needs it";
    SubmitterMissing "SUBMITTER_MISSING" 409 Change "The user has no submitter address";
    SubmitterTaken "SUBMITTER_TAKEN" 409 Change "The address belongs to another user";
    LastAdmin "LAST_ADMIN" 409 Change "The tenant would have no admin";
    ApiKeyEnded "API_KEY_ENDED" 409 Change "The API key has ended";
    TooManyApiKeys "TOO_MANY_API_KEYS" 409 Change "The user has too many API keys";
    TooManyTopUps "TOO_MANY_TOP_UPS" 409 Operator "The tenant has too many open top-ups";
    StorageQuotaExceeded "STORAGE_QUOTA_EXCEEDED" 409 Change "The tenant's storage is full";
    PayloadTooLarge "PAYLOAD_TOO_LARGE" 413 Change "The body is too large";
    InvalidContentType "INVALID_CONTENT_TYPE" 415 Change "The content type is not supported";
    IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" 422 Change "The idempotency key was used with another body";
    QuoteMismatch "QUOTE_MISMATCH" 422 Change "The quote is for another body";
    CiphertextInvalid "CIPHERTEXT_INVALID" 422 Change "A ciphertext is not valid";
    KeyMismatch "KEY_MISMATCH" 422 Change "A ciphertext belongs to another key";
    RateLimitExceeded "RATE_LIMIT_EXCEEDED" 429 Later "Too many requests";
    QuotaExceeded "QUOTA_EXCEEDED" 429 Later "The quota is used up";
    TooManyActiveJobs "TOO_MANY_ACTIVE_JOBS" 429 Later "Too many jobs are active";
    InternalError "INTERNAL_ERROR" 500 Later "The service failed";
    DataDamaged "DATA_DAMAGED" 500 Operator "Stored data is damaged";
    ServiceUnavailable "SERVICE_UNAVAILABLE" 503 Later "The service is unavailable for a moment";
    RequestTimeout "REQUEST_TIMEOUT" 504 Later "The request took too long";
    ComputeFailed "COMPUTE_FAILED" 422 Change "The computation has no result";
    ComputeCrashed "COMPUTE_CRASHED" 500 Later "The computation crashed too often";
    ComputeTimeout "COMPUTE_TIMEOUT" 422 Change "The computation ran out of its time";
    DeadlineExceeded "DEADLINE_EXCEEDED" 422 Change "The job passed its deadline";
    JobCancelled "JOB_CANCELLED" 409 Change "The job was cancelled";
    JobFailed "JOB_FAILED" 409 Change "The job failed";
    WorkflowLost "WORKFLOW_LOST" 500 Later "The job was lost by the service";
}

/// The codes that a job may end with: they stand in its `error`, and answer whoever asks for its result.
pub const ENDINGS: &[ErrorCode] = &[
    ErrorCode::JobValidationFailed,
    ErrorCode::CiphertextInvalid,
    ErrorCode::KeyMismatch,
    ErrorCode::StorageQuotaExceeded,
    ErrorCode::CostCeilingExceeded,
    ErrorCode::ComputeFailed,
    ErrorCode::ComputeCrashed,
    ErrorCode::ComputeTimeout,
    ErrorCode::DeadlineExceeded,
    ErrorCode::WorkflowLost,
    ErrorCode::InternalError,
];

impl ErrorCode {
    /// A failure of the service rather than of the job: what was done is not billed.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.status() >= 500
    }

    /// What asking for the result of a job that ended with this code is answered with: the code itself, unless its
    /// status would call the question a failure of the service, to be sent again.
    #[must_use]
    pub fn of_result(self) -> Self {
        if self.is_ours() { Self::JobFailed } else { self }
    }
}

/// By hand: the derived one does not see names that a macro was given.
impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let codes = ALL.iter().map(|code| code.as_str());
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
        schema.description(Some("A typed error; each has a page in `/docs/errors`.")).into()
    }
}

impl ToSchema for ErrorCode {}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| format!("{text} is not an error code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_round_trip() {
        for code in ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }

    /// The part of the index about jobs names the codes that jobs end with, and no others.
    #[test]
    fn every_ending_is_documented_as_one() {
        let index = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors/README.md");
        let index = std::fs::read_to_string(index).expect("a readable index");
        let (_, part) = index.split_once("## In the `error` of a job").expect("the part about jobs");
        let (part, _) = part.split_once("\n## ").expect("another part");
        for code in ALL {
            let named = part.contains(&format!("[{code}](")) || part.contains(&format!("`{code}`"));
            assert_eq!(named, ENDINGS.contains(code), "{code}");
        }
    }

    /// Each code has a page, and each page a code.
    #[test]
    fn every_code_has_a_page() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors");
        let mut pages: Vec<String> = std::fs::read_dir(folder)
            .expect("docs/errors exists")
            .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().replace(".md", ""))
            .filter(|name| name != "README")
            .collect();
        pages.sort();
        let mut codes: Vec<String> = ALL.iter().map(ToString::to_string).collect();
        codes.sort();
        assert_eq!(pages, codes);
        for code in ALL {
            let page = std::fs::read_to_string(format!("{folder}/{code}.md")).expect("a readable page");
            assert!(page.starts_with(&format!("# {code}\n")), "{code}: the heading names the code");
            assert!(page.contains(&code.status().to_string()), "{code}: the page tells the status");
            assert!(page.contains(code.title()), "{code}: the page tells the title");
            // No request is: a job that failed so answers with another code.
            let refuses = page.contains(&format!("the problem document has status {}.", code.status()));
            assert!(!(refuses && code.is_ours()), "{code}: the page says that requests are refused with it");
            if ENDINGS.contains(code) && code.is_ours() {
                let answered = format!("Asking for its result or receipt answers 409 [{0}]({0}.md).", code.of_result());
                assert!(page.contains(&answered), "{code}: {answered}");
            }
            for part in ["## What happened", "## Example", "## Common causes", "## What to do"] {
                assert!(page.contains(&format!("\n{part}\n")), "{code}: the page has the part {part}");
            }
        }
    }
}
