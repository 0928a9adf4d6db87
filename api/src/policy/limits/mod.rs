//! How many requests of a tenant are let through: the rates of its plan, of which each node takes its share.

mod gcra;
mod headers;
mod meters;

pub use gcra::{Bucket, Rate, Share};
pub(super) use headers::{whole_seconds, write};
pub use meters::{Clock, Meters, Seen, Verdict};
