//! `zama-jobs openapi`: the interface as the code declares it; `openapi.yml` is this output.

use anyhow::{Context, Result};

/// # Errors
/// A document that cannot be written, which would be a bug.
pub fn run() -> Result<()> {
    print!("{}", api::openapi().to_yaml().context("Failed to write the document")?);
    Ok(())
}
