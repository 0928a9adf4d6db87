//! `zama-jobs temporal`: prepares a Temporal server, and reads a workflow's history.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use settings::Settings;

use super::{Role, parts, process};
use crate::output;

#[derive(Subcommand)]
pub enum TemporalCommand {
    /// Register the namespace and the search attributes; repeating it changes nothing.
    Setup,
    /// Print a workflow's history, as the replay tests read it: JSON, with and without `--json`.
    History {
        /// Workflow id, for example dev/my-key.
        workflow_id: String,
        /// A run that is not the newest, for example one that continued as new.
        #[arg(long, value_name = "ID")]
        run_id: Option<String>,
    },
}

/// # Errors
/// The server is away, or refuses.
pub fn run(settings: &Settings, command: &TemporalCommand, as_json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let client = temporal::connect(&parts::target(settings, "tool")?).await?;
        match command {
            TemporalCommand::Setup => setup(settings, &client, as_json).await,
            TemporalCommand::History { workflow_id, run_id } => {
                let history = temporal::history::fetch(&client, workflow_id, run_id.as_deref()).await?;
                output::bytes(&history)
            }
        }
    })
}

async fn setup(settings: &Settings, client: &temporal::Client, as_json: bool) -> Result<()> {
    let report = temporal::setup::ensure(client).await?;
    let namespace = &settings.temporal.namespace;
    if as_json {
        let (registered, added) = (report.namespace_registered, &report.attributes_added);
        let document = json!({ "namespace": namespace, "registered": registered, "attributes_added": added });
        return output::document(&document);
    }
    let registered = if report.namespace_registered { "registered" } else { "known" };
    output::line(format_args!("namespace {namespace}: {registered}"))?;
    for name in &report.attributes_added {
        output::line(format_args!("search attribute {name}: added"))?;
    }
    Ok(())
}
