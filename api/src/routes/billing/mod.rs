//! Where the billing system reports to.

mod kind;
pub mod lago_webhook;
