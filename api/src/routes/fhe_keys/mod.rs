//! `/v1/fhe/keys`

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod network;
mod presentation;
