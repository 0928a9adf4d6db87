//! `audit export`

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::verify::{NO_HEAD, head_of};

/// What `audit export` takes.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Write the lines to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The log of the tenant's sandbox, in which its test keys act
    #[arg(long)]
    test_mode: bool,
}

pub(super) async fn export(session: &Session, args: &ExportArgs) -> Result<Exit, CliError> {
    let mut export = session.client()?.audit_export(args.test_mode).await?;
    let target = || args.output.as_ref().map_or_else(|| "stdout".to_owned(), |file| file.display().to_string());
    let failed = |source| CliError::Write { target: target(), source };
    let mut file = args.output.as_ref().map(File::create).transpose().map_err(failed)?;
    let mut head = None;
    while let Some(line) = export.line().await? {
        match &mut file {
            Some(file) => file.write_all(&line).map_err(failed)?,
            None => session.output.bytes(&line)?,
        }
        head = serde_json::from_slice::<Value>(&line).ok().as_ref().and_then(head_of);
    }
    let Some(head) = head else {
        session.output.notice(NO_HEAD);
        return Ok(Exit::Failure);
    };
    if let Some(file) = args.output.as_ref().filter(|_| session.output.is_json()) {
        session.output.result(&json!({"file": file, "entries": head.seq, "head": head}), |_| String::new())?;
    }
    session.output.notice(&format!(
        "{} entries. Keep the head elsewhere: `zama-jobs audit verify --head {}:{}` tells later whether they are still there",
        head.seq, head.seq, head.hash
    ));
    Ok(Exit::Success)
}
