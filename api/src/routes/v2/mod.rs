//! `/v2`: a preview of the next version, of one resource. It stands on what v1 stands on; only what it looks like differs.

pub mod job;
