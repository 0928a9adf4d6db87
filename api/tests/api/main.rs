//! The REST server as its clients meet it: routes and policies on a database of the test's own, without Temporal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod answer;
mod app;
#[path = "../../../store/tests/store/database.rs"]
mod database;

mod authentication;
mod blobs;
mod cancel;
mod conditional;
mod connections;
mod database_away;
mod documentation;
mod every_operation;
mod fhe_keys;
mod fhe_result;
mod framing;
mod garbage;
mod health;
mod https;
mod idempotency;
mod isolation;
mod list;
mod me;
mod oauth;
mod openapi;
mod prefer_wait;
mod progress;
mod receipt;
mod references;
mod request_id;
mod result;
mod roles;
mod routing;
mod security_headers;
mod storage;
mod submit;
mod time_limit;
mod unread;
mod usage;
mod wire;
