//! What holds for every route: who asks, what a request may look like, how errors are told, what is recorded.

pub mod api_key_path;
pub mod api_keys;
pub mod authentication;
pub mod body;
pub mod conditional;
pub mod cursor;
pub mod download;
pub mod error_responses;
pub mod job_path;
pub mod observation;
pub mod prefer;
pub mod problem;
pub mod query;
pub mod request_id;
pub mod security_headers;
pub mod sha256_path;
pub mod storage;
pub mod time_limit;
pub mod upload;
pub mod user_path;
