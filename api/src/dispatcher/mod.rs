//! From the outbox to Temporal.

mod handle;

pub use handle::{Handle, Mailbox, channel};
