//! The recorded cases that a Lago must pass, and the run of them against the stand-in or the real thing.

mod case;
mod fill;
mod report;
mod run;
mod shape;

pub use case::{Case, Table};
pub use report::{CaseReport, Leftover, Outcome, Report};
pub use run::{Target, run};
