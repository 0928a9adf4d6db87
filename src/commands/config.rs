//! `zama-jobs config`: every setting with its default and what it does.

use anyhow::Result;

use crate::output;

/// Prints the commented defaults.
///
/// # Errors
/// stdout cannot be written.
pub fn run() -> Result<()> {
    output::text(settings::DEFAULTS)
}
