//! Where the billing system reports to.

pub mod lago_webhook;
