//! What limits a tenant: nodes that share its rates, jobs that are active at once, units of a month, and what it asks of
//! its own requests.

mod active;
pub mod nodes;
pub mod nonces;
pub mod rules;
mod units;

use jobs::usage::Metric;

use crate::credits::Unpaid;

pub use active::active;
pub(crate) use active::{Active, take_slot};
pub use units::{MonthUnits, held, month_of};
pub(crate) use units::{Taken, beyond, held_in, take};

/// What admissions of a user may take, by plan and role. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Jobs of the user that are PENDING or PROCESSING.
    pub active_jobs: Option<u32>,
    /// Jobs of the tenant that are CONFIRMING.
    pub confirming_jobs: Option<u32>,
    /// Units of a month, used and reserved.
    pub units: Option<Ceilings>,
    /// Of which the tenant is told how far it has used them; zero is none. Counted where there is a ceiling.
    pub packages: Packages,
}

/// Units of a month from which on a tenant is warned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    /// [`Metric::ComputeUnits`]
    pub compute: u64,
    /// [`Metric::FheComputeUnits`]
    pub fhe: u64,
}

/// Units of a month beyond which nothing is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// [`Metric::ComputeUnits`]
    pub compute: u64,
    /// [`Metric::FheComputeUnits`]
    pub fhe: u64,
}

/// Why a limit does not admit a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// The user has as many active jobs as this.
    Active(u32),
    /// The tenant has as many jobs that wait for the chain as this.
    Confirming(u32),
    /// The job may cost more units than are left of the month.
    Units { metric: Metric, wanted: u64, left: u64 },
    /// The job may cost more than is left of the tenant's credits.
    Credits(Unpaid),
}
