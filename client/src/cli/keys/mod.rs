//! `keys`: the network's key, a client's own keys, keys that results are sealed to, and the submitter's.

mod network;
mod own;
mod register;
mod sealing;

use clap::Subcommand;

use super::error::CliError;
use super::exit::{EXIT_CODES, Exit};
use super::globals::Session;

/// The commands about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Fetch the network's key, check its hashes and show it.
    #[command(after_help = EXIT_CODES)]
    Network(network::NetworkArgs),
    /// Make keys of your own: the service computes under them and can read nothing.
    #[command(after_help = EXIT_CODES)]
    Generate(own::GenerateArgs),
    /// Upload the evaluation key of your own keys, and wait until it is ready.
    #[command(after_help = EXIT_CODES)]
    Upload(own::UploadArgs),
    /// List the keys that jobs may use.
    #[command(after_help = EXIT_CODES)]
    List,
    /// Delete the evaluation key of your own keys from the service; what it holds under the key stays readable.
    #[command(after_help = EXIT_CODES)]
    Delete(own::DeleteArgs),
    /// Make a P-256 key that results are sealed to.
    #[command(after_help = EXIT_CODES)]
    Sealing(sealing::SealingArgs),
    /// Register the address of your submitter's key, proved by its signature: your jobs belong to it.
    #[command(after_help = EXIT_CODES)]
    Register(register::RegisterArgs),
}

pub(super) async fn keys(session: &Session, command: &KeysCommand) -> Result<Exit, CliError> {
    match command {
        KeysCommand::Network(args) => network::network(session, args).await,
        KeysCommand::Generate(args) => own::generate(session, args).await,
        KeysCommand::Upload(args) => own::upload(session, args).await,
        KeysCommand::List => own::list(session).await,
        KeysCommand::Delete(args) => own::delete(session, args).await,
        KeysCommand::Sealing(args) => sealing::sealing(session, args),
        KeysCommand::Register(args) => register::register(session, args).await,
    }
}
