//! `result` and `receipt`: what a job leaves behind.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use jobs::JobId;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use crate::outcome::ResultBytes;

/// What `result` takes.
#[derive(Args, Debug)]
pub struct ResultArgs {
    /// Id of the job.
    pub id: JobId,
    /// Write the bytes to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `receipt` takes.
#[derive(Args, Debug)]
pub struct ReceiptArgs {
    /// Id of the job.
    pub id: JobId,
    /// Write the receipt to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

pub(super) async fn result(session: &Session, args: &ResultArgs) -> Result<Exit, CliError> {
    let result = session.client()?.result(args.id).await?;
    if let Some(file) = &args.output {
        write(file, &result.bytes)?;
    }
    match &args.output {
        file if session.output.is_json() => {
            session.output.result(&document(&result, file.as_deref()), |_| String::new())?;
        }
        Some(_) => {}
        None if std::io::stdout().is_terminal() => {
            let text = std::str::from_utf8(&result.bytes).map_err(|_| {
                CliError::usage(format!("the result is {} and no text: write it with --output FILE", result.media_type))
            })?;
            session.output.bytes(format!("{}\n", text.trim_end()).as_bytes())?;
        }
        None => session.output.bytes(&result.bytes)?,
    }
    session.output.notice(&format!("{} bytes, sha-256 {} checked", result.bytes.len(), result.hash));
    Ok(Exit::Success)
}

/// The result for programs: a JSON value as itself, other bytes in base64.
fn document(result: &ResultBytes, file: Option<&Path>) -> Value {
    let value: Option<Value> = serde_json::from_slice(&result.bytes).ok();
    let encoded = if value.is_some() || file.is_some() { None } else { Some(STANDARD.encode(&result.bytes)) };
    json!({
        "hash": result.hash,
        "media_type": result.media_type,
        "size": result.bytes.len(),
        "value": value,
        "base64": encoded,
        "file": file,
    })
}

pub(super) async fn receipt(session: &Session, args: &ReceiptArgs) -> Result<Exit, CliError> {
    let receipt = session.client()?.receipt(args.id).await?;
    let text = format!("{receipt:#}\n");
    match &args.output {
        Some(file) => {
            write(file, text.as_bytes())?;
            session.output.notice(&format!("verify it with: zama-jobs verify {}", file.display()));
            if session.output.is_json() {
                session.output.bytes(text.as_bytes())?;
            }
        }
        None => session.output.bytes(text.as_bytes())?,
    }
    Ok(Exit::Success)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(file, bytes).map_err(|source| CliError::Write { target: file.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    fn fetched(bytes: &[u8]) -> ResultBytes {
        ResultBytes { bytes: bytes.to_vec(), hash: B256::ZERO, media_type: "x/y".to_owned() }
    }

    #[test]
    fn json_stands_as_itself_and_other_bytes_in_base64() {
        let plain = document(&fetched(br#"{"number":"6"}"#), None);
        assert_eq!((&plain["value"]["number"], &plain["base64"]), (&json!("6"), &Value::Null));
        let sealed = document(&fetched(&[0xff, 0]), None);
        assert_eq!((&sealed["value"], &sealed["base64"]), (&Value::Null, &json!("/wA=")));
        let written = document(&fetched(&[0xff, 0]), Some(Path::new("out")));
        assert_eq!((&written["file"], &written["base64"]), (&json!("out"), &Value::Null));
    }
}
