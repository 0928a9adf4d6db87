//! Prepaid credits: top-ups on their way to the billing system, and what tenants can spend.

pub mod accounts;
mod admission;
pub mod top_ups;

use jobs::credits::PriceList;

pub(crate) use admission::ask;
pub use admission::look;

/// That an admission takes from prepaid credits, and by what prices.
#[derive(Clone, Copy)]
pub struct Prepaid<'a> {
    pub prices: &'a dyn PriceList,
}

/// Why credits do not pay for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaid {
    /// Nothing is known of the tenant's account yet.
    Unknown,
    /// Nothing is left, or less than the job may cost; minor units, taxes included.
    Exhausted { available_cents: i64, wanted_cents: i64 },
}

/// How a tenant's credits stand to a job that is not admitted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Nothing is known of the tenant's account yet: the job would be refused.
    Unknown,
    Known {
        is_sufficient: bool,
        /// Minor units, taxes included; below zero when more was used than paid for.
        available_cents: i64,
        /// ISO 4217 code.
        currency: String,
    },
}
