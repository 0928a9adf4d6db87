//! The vocabulary of Zama Jobs: ids, the job and its states, the error table, the wire format. No I/O.

pub mod algorithm;
pub mod api_key;
pub mod audit;
pub mod billing_notice;
pub mod canonical;
pub mod causes;
pub mod credits;
pub mod csv;
pub mod digest;
pub mod error_code;
pub mod event;
pub mod fhe;
pub mod field_error;
#[cfg(test)]
mod garbage;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod json;
pub mod leaf;
pub mod merkle;
pub mod money;
pub mod object;
pub mod quote;
pub mod receipt;
pub mod status;
mod step;
pub mod submission;
pub mod usage;
pub mod wire;
pub mod workflow_id;

pub use api_key::{ApiKey, ApiKeyId, KeyMode};
pub use error_code::ErrorCode;
pub use field_error::FieldError;
pub use idempotency::IdempotencyKey;
pub use identity::{Role, Scope, Scopes};
pub use ids::{JobId, QuoteId, TenantId, UserId};
pub use status::JobStatus;
pub use step::Step;
