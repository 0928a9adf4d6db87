//! `audit`: what was done and tried in the tenant's name, and whether the log of it is whole.

mod export;
mod list;
mod verify;

use clap::Subcommand;

use super::error::CliError;
use super::exit::{EXIT_CODES, Exit};
use super::globals::Session;

/// The commands about the audit log. They need an admin's token or API key.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first.
    #[command(after_help = EXIT_CODES)]
    List(list::ListArgs),
    /// Write the whole log as lines of JSON, the oldest entry first, its head at the end.
    #[command(after_help = EXIT_CODES)]
    Export(export::ExportArgs),
    /// Check that no entry was changed, removed or moved: of the log as it is now, or of an export.
    #[command(after_help = EXIT_CODES)]
    Verify(verify::VerifyArgs),
}

pub(super) async fn audit(session: &Session, command: &AuditCommand) -> Result<Exit, CliError> {
    match command {
        AuditCommand::List(args) => list::list(session, args).await,
        AuditCommand::Export(args) => export::export(session, args).await,
        AuditCommand::Verify(args) => verify::verify(session, args).await,
    }
}
