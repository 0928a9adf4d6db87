//! `keys register`: the address of the submitter's key becomes the caller's.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::chain_args::ChainArgs;
use super::super::dev_env::DevEnv;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::secrets::submitter;
use super::super::table::pairs;
use crate::submitter::RegisterError;

/// What `keys register` takes.
#[derive(Args, Debug)]
pub struct RegisterArgs {
    /// File with the submitter's key, 0x-hex; it signs, and stays on this machine
    /// [default: ZAMA_SUBMITTER_KEY, the variable or of .zama/dev.env]
    #[arg(long, value_name = "FILE")]
    submitter_key: Option<PathBuf>,
    /// Registry that the signature is for; without it the API's word is taken [default: ZAMA_REGISTRY of .zama/dev.env]
    #[arg(long, env = "ZAMA_REGISTRY", value_name = "ADDRESS")]
    registry: Option<String>,
}

pub(super) async fn register(session: &Session, args: &RegisterArgs) -> Result<Exit, CliError> {
    let submitter = submitter(session, args.submitter_key.as_deref())?;
    let chain = ChainArgs { rpc: None, registry: args.registry.clone() };
    let registry = match chain.registry()? {
        Some(registry) => Some(registry),
        None => chain.resolve(DevEnv::find)?.and_then(|chain| chain.registry),
    };
    let address = session.client()?.register_submitter(&submitter, registry).await?;
    let document = json!({ "submitter": address });
    session.output.result(&document, |paint| pairs(&[("Submitter", paint.strong(&address.to_string()))]))?;
    session
        .output
        .notice("your jobs belong to it from now on; inputs that were encrypted for another address are refused");
    Ok(Exit::Success)
}

impl From<RegisterError> for CliError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Client(error) => Self::Client(error),
            other => Self::usage(other.to_string()),
        }
    }
}
