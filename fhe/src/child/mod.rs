//! The process that reads outside bytes and computes on them.

pub mod protocol;
