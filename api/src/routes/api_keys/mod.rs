//! `/v1/api-keys`

pub mod create;
pub mod get;
pub mod list;
mod presentation;
mod request;
pub mod revoke;
pub mod rotate;
