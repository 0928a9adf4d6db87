//! `api-keys create` and `api-keys rotate`: the two answers that show a secret.

use std::path::PathBuf;

use chrono::Utc;
use clap::Args;
use serde_json::json;

use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::moment::{Moment, duration};
use super::super::secrets::{check_new, write_private};
use super::{KeyName, shown};
use crate::api_keys::{ApiKeyRotation, CreatedApiKey, NewApiKey};

/// What `api-keys create` takes.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// What the key is for
    name: String,
    /// Scopes, separated by spaces or commas; all that you may give when not given
    #[arg(long, value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// A test key: free, on the tenant's sandbox
    #[arg(long)]
    test: bool,
    /// When it expires: in how long (90d, 12h) or at a time; a year at most, and when not given
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,
    /// Whom the key is to speak for, if not for you; an admin's to say
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    to: To,
}

/// What `api-keys rotate` takes.
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// Id of the key to replace
    id: KeyName,
    /// For how long the old key goes on (1h, 7d; 0 ends it at once); a day when not given
    #[arg(long, value_name = "TIME", value_parser = duration)]
    overlap: Option<std::time::Duration>,
    /// When the new key expires; as late as the old one was to when not given
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,
    #[command(flatten)]
    to: To,
}

/// Where the secret goes.
#[derive(Args, Debug)]
struct To {
    /// New file for the key, readable by you alone, in place of stdout
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn create(session: &Session, args: &CreateArgs) -> Result<Exit, CliError> {
    args.to.check()?;
    let words = args.scopes.as_ref().map(|scopes| scopes.iter().flat_map(|part| part.split_whitespace()));
    let new = NewApiKey {
        name: args.name.clone(),
        scopes: words.map(|words| words.map(str::to_owned).collect()),
        test_mode: args.test,
        expires_at: args.expires.map(|moment| moment.after(Utc::now())),
        user: args.user.clone(),
    };
    let created = session.client()?.create_api_key(&new).await?;
    args.to.show(session, &created)
}

pub(super) async fn rotate(session: &Session, args: &RotateArgs) -> Result<Exit, CliError> {
    args.to.check()?;
    let rotation = ApiKeyRotation {
        overlap_seconds: args.overlap.map(|overlap| overlap.as_secs()),
        expires_at: args.expires.map(|moment| moment.after(Utc::now())),
    };
    let KeyName(id) = &args.id;
    let created = session.client()?.rotate_api_key(id, &rotation).await?;
    args.to.show(session, &created)
}

impl To {
    /// Before anything is made that could then not be kept.
    fn check(&self) -> Result<(), CliError> {
        self.out.as_deref().map_or(Ok(()), check_new)
    }

    fn show(&self, session: &Session, created: &CreatedApiKey) -> Result<Exit, CliError> {
        match &self.out {
            Some(file) => {
                write_private(file, format!("{}\n", created.key).as_bytes())?;
                let mut document = json!(created.about);
                document["file"] = json!(file);
                session.output.result(&document, |paint| shown::card(&created.about, None, paint))?;
                session.output.notice(&format!("the key is in {}", file.display()));
            }
            None => {
                session.output.result(created, |paint| shown::card(&created.about, Some(&created.key), paint))?;
                session.output.notice("the key is shown this once: keep it");
            }
        }
        Ok(Exit::Success)
    }
}
