//! The plain algorithms themselves: pure computation on one thread, no input or output.
//!
//! A run tells its [`Control`] how far it is, asks it often whether to stop, and hands it [`Checkpoint`]s from which
//! another process can go on. Results depend on the input alone: not on the clock, the machine, or where a run resumed.

mod checkpoint;
mod control;
mod factorization;
mod matrix;
mod output;
mod statistics;
#[cfg(test)]
mod trial;

use jobs::algorithm::Input;

pub use checkpoint::{Checkpoint, Part};
pub use control::{Control, Resumption};
pub use output::{Factor, Factorization, Output, Product, Statistics};

/// Why a run ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// [`Control::stopped`] said so.
    #[error("the computation was stopped")]
    Stopped,
    /// A value of the result is beyond the range of a double. A fault of the input: another attempt ends alike.
    #[error("{what} is beyond the range of a double (about ±1.8e308)")]
    ArithmeticOverflow {
        /// Which value of the result.
        what: String,
    },
}

/// Computes `input`, from the beginning or from where `resume` was saved.
///
/// A checkpoint that does not belong to this input is ignored; one that does is verified, so that a damaged one costs
/// time but never a wrong result.
///
/// # Errors
/// [`RunError::Stopped`] within about a millisecond of computing after [`Control::stopped`] turned true;
/// [`RunError::ArithmeticOverflow`] when the result cannot be written in doubles.
pub fn run(input: &Input, resume: Option<&Checkpoint>, control: &mut dyn Control) -> Result<Output, RunError> {
    let mut progress = control::Progress::new(control);
    match input {
        Input::PrimeFactorization(input) => {
            factorization::run(input.number().get(), resume, &mut progress).map(Output::PrimeFactorization)
        }
        Input::StatisticalAnalysis(input) => {
            statistics::run(input.values(), &mut progress).map(Output::StatisticalAnalysis)
        }
        Input::MatrixMultiplication(input) => {
            matrix::run(input.a(), input.b(), &mut progress).map(Output::MatrixMultiplication)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        let error = RunError::ArithmeticOverflow { what: "variance".to_owned() };
        let page = include_str!("../../docs/errors/COMPUTE_FAILED.md");
        assert!(page.contains(&format!("\n    \"detail\": \"{error}\",\n")), "{error}");
    }
}
