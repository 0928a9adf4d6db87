//! placeholder
pub mod algorithm;
pub mod field_error;
