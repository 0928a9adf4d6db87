//! `zama-jobs openapi`: the interface as the code declares it; `openapi.yml` is this output.

use anyhow::Result;

/// # Errors
/// A document that cannot be written, which would be a bug.
pub fn run() -> Result<()> {
    print!("{}", api::openapi_yaml()?);
    Ok(())
}
