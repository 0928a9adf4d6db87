//! `zama-jobs temporal setup`: namespace and search attributes on any Temporal server.

use anyhow::Result;
use clap::Subcommand;
use settings::Settings;

use super::{Role, parts, process};

#[derive(Subcommand)]
pub enum TemporalCommand {
    /// Register the namespace and the search attributes; repeating it changes nothing.
    Setup,
}

/// # Errors
/// The server is away, or refuses.
pub fn run(settings: &Settings, command: &TemporalCommand) -> Result<()> {
    let TemporalCommand::Setup = command;
    process::run(settings, Role::Tool, |_stop| async {
        let client = temporal::connect(&parts::target(settings, "setup")?).await?;
        let report = temporal::setup::ensure(&client).await?;
        let namespace = &settings.temporal.namespace;
        let registered = if report.namespace_registered { "registered" } else { "known" };
        println!("namespace {namespace}: {registered}");
        for name in &report.attributes_added {
            println!("search attribute {name}: added");
        }
        Ok(())
    })
}
