//! What holds for every route: who asks, what a request may look like, how errors are told, what is recorded.

pub mod authentication;
pub mod body;
pub mod client_address;
pub mod conditional;
pub mod cors;
pub mod cursor;
pub mod download;
pub mod error_responses;
pub mod gate;
pub mod job_path;
pub mod limits;
pub mod observation;
pub mod plan;
pub mod prefer;
pub mod problem;
pub mod query;
pub mod request_id;
pub mod request_signature;
pub mod security_headers;
pub mod sha256_path;
pub mod storage;
pub mod tenant_rules;
pub mod time_limit;
pub mod upload;
