//! `/v1/tenants/current`

pub mod change;
pub mod get;
mod presentation;
