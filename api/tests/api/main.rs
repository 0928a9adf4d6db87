//! The REST server as its clients meet it: routes and policies on a database of the test's own, without Temporal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod admission_limits;
mod answer;
mod api_keys;
mod app;
mod audit;
#[path = "../../../store/tests/store/database.rs"]
mod database;

mod authentication;
mod billing;
mod blobs;
mod cancel;
mod conditional;
mod connections;
mod cors;
mod credits;
mod database_away;
mod documentation;
mod every_operation;
mod external;
mod fhe_keys;
mod fhe_result;
mod framing;
mod garbage;
mod health;
mod https;
mod idempotency;
mod isolation;
mod job_billing;
mod list;
mod me;
mod metered_calls;
mod networks;
mod notifications;
mod oauth;
mod openapi;
mod prefer_wait;
mod progress;
mod quotes;
mod rates;
mod receipt;
mod references;
mod request_id;
mod result;
mod roles;
mod routing;
mod security_headers;
mod signed_requests;
mod storage;
mod submit;
mod submitter;
mod tenant;
mod test_mode;
mod time_limit;
mod unread;
mod usage;
mod usage_billed;
mod users;
mod versions;
mod wire;
