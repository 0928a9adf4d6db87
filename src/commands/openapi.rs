//! `zama-jobs openapi`: the interface as the code declares it; `openapi.yml` is this output.

use anyhow::Result;

use crate::output;

/// # Errors
/// A document that cannot be made, which would be a bug, or stdout that cannot be written.
pub fn run() -> Result<()> {
    output::text(api::openapi_yaml()?)
}
