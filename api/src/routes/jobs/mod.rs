//! `/v1/jobs`

mod billing;
pub mod cancel;
pub mod fhe_result;
pub mod get;
pub mod list;
pub(in crate::routes) mod new_job;
pub(in crate::routes) mod presentation;
pub mod quotes;
pub mod receipt;
mod references;
mod refusals;
pub mod result;
pub mod submit;
mod unavailable;
mod units_left;
mod wait;
