//! `api-keys`: keys that programs use in place of access tokens.

mod made;
mod shown;

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::json;

use super::error::CliError;
use super::exit::{EXIT_CODES, Exit};
use super::globals::Session;
use super::paint::tame;
use super::table::pairs;
use crate::api_keys::ApiKeyFilter;

/// The commands about API keys.
#[derive(Debug, Subcommand)]
pub enum ApiKeysCommand {
    /// Make a key. It is shown once.
    #[command(after_help = EXIT_CODES)]
    Create(made::CreateArgs),
    /// List keys, newest first.
    #[command(after_help = EXIT_CODES)]
    List(ListArgs),
    /// Put a new key in the place of one, which goes on for a while. The new one is shown once.
    #[command(after_help = EXIT_CODES)]
    Rotate(made::RotateArgs),
    /// End a key at once and for ever.
    #[command(after_help = EXIT_CODES)]
    Revoke(RevokeArgs),
}

/// What `api-keys list` takes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only keys of this user; another one's are an admin's to see
    #[arg(long)]
    user: Option<String>,
    /// Keys on the page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Read on from the page before
    #[arg(long)]
    cursor: Option<String>,
}

/// What `api-keys revoke` takes.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Id of the key, as `api-keys list` shows it
    id: KeyName,
}

/// A key's id. A whole key is not taken for one: on a command line it would be seen.
#[derive(Clone, Debug)]
struct KeyName(String);

impl std::str::FromStr for KeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.parse::<jobs::ApiKeyId>();
        id.map(|id| Self(id.to_string()))
            .map_err(|_| "is not the id of a key: the 16 characters behind zj_live_".to_owned())
    }
}

pub(super) async fn api_keys(session: &Session, command: &ApiKeysCommand) -> Result<Exit, CliError> {
    match command {
        ApiKeysCommand::Create(args) => made::create(session, args).await,
        ApiKeysCommand::List(args) => list(session, args).await,
        ApiKeysCommand::Rotate(args) => made::rotate(session, args).await,
        ApiKeysCommand::Revoke(args) => revoke(session, args).await,
    }
}

async fn list(session: &Session, args: &ListArgs) -> Result<Exit, CliError> {
    let filter = ApiKeyFilter { user: args.user.clone(), cursor: args.cursor.clone(), limit: Some(args.limit) };
    let page = session.client()?.api_keys(&filter).await?;
    session.output.result(&page, |paint| shown::table(&page.data, Utc::now(), paint))?;
    if page.data.is_empty() {
        session.output.notice("no keys");
    }
    if let Some(cursor) = page.next_cursor.as_ref().filter(|_| !session.output.is_json()) {
        session.output.notice(&format!("more: --cursor {}", tame(cursor)));
    }
    Ok(Exit::Success)
}

async fn revoke(session: &Session, args: &RevokeArgs) -> Result<Exit, CliError> {
    let KeyName(id) = &args.id;
    session.client()?.revoke_api_key(id).await?;
    let document = json!({ "id": id, "revoked": true });
    session.output.result(&document, |paint| pairs(&[("Revoked", paint.strong(id))]))?;
    Ok(Exit::Success)
}
