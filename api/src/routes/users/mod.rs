//! `/v1/users`

pub mod delete;
pub mod get;
pub mod list;
mod presentation;
pub mod put;
