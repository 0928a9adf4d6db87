//! `zama-jobs migrate`: brings the database's schema up to date.

use anyhow::{Context, Result};
use settings::Settings;

use super::{Role, parts, process};

/// # Errors
/// The database is away, or holds other migrations than ours.
pub fn run(settings: &Settings) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        Box::pin(store::migrate(&parts::pool(settings)?)).await.context("Failed to migrate")?;
        println!("the schema is up to date");
        Ok(())
    })
}
