//! `encrypt`: values become a blob that a job can be submitted on.

use std::path::{Path, PathBuf};

use clap::Args;
use fhe::clear::ClearValue;
use serde_json::{Value, json};

use super::encryption::EncryptionArgs;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::secrets::{check_new, write_public};
use super::table::pairs;
use super::working::Working;
use crate::encrypted::{Blob, EncryptedInputs, Upload};
use crate::transport::Client;

/// What `encrypt` takes.
#[derive(Args, Debug)]
pub struct EncryptArgs {
    /// The values: 1,2,3 with --type, or u8:5,bool:true
    #[arg(long, value_name = "1,2,3", allow_hyphen_values = true)]
    values: Option<String>,
    /// Write the blob to this new file
    #[arg(long, short, value_name = "FILE", required_unless_present = "upload")]
    out: Option<PathBuf>,
    /// Upload the blob and print its URL
    #[arg(long)]
    upload: bool,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

pub(super) async fn encrypt(session: &Session, args: &EncryptArgs) -> Result<Exit, CliError> {
    let values = args.encryption.values(args.values.as_deref())?;
    let summary = summary(&values);
    if let Some(file) = &args.out {
        check_new(file)?;
    }
    let inputs = args.encryption.encrypt(session, values).await?;
    if let Some(file) = &args.out {
        write_public(file, inputs.bytes())?;
    }
    let blob = match args.upload {
        true => Some(upload(&session.client()?, &Upload::of_bytes(inputs.bytes().clone())).await?),
        false => None,
    };
    let document = document(&inputs, &summary, args.out.as_deref(), blob.as_ref());
    session.output.result(&document, |paint| {
        let mut lines = vec![
            ("Values", summary.clone()),
            ("Key", format!("{} ({})", inputs.key().key_id, inputs.key().mode)),
            ("Size", format!("{} bytes", inputs.bytes().len())),
            ("SHA-256", Upload::of_bytes(inputs.bytes().clone()).sha256().to_string()),
        ];
        lines.extend(args.out.as_ref().map(|file| ("File", file.display().to_string())));
        lines.extend(blob.as_ref().map(|blob| ("URL", paint.strong(&blob.url))));
        pairs(&lines)
    })?;
    if let Some(blob) = &blob {
        session
            .output
            .notice(&format!("submit a job on it with: zama-jobs submit --fhe ALGORITHM --blob {}", blob.url));
    }
    Ok(Exit::Success)
}

/// Uploads with a bar.
pub(super) async fn upload(client: &Client, blob: &Upload) -> Result<Blob, CliError> {
    let working = Working::transfer("uploading the inputs", blob.size());
    Ok(client.upload_blob(blob, &working.on_bytes()).await?)
}

fn document(inputs: &EncryptedInputs, values: &str, file: Option<&Path>, blob: Option<&Blob>) -> Value {
    json!({
        "values": values,
        "key": inputs.key().to_json(),
        "size": inputs.bytes().len(),
        "sha256": Upload::of_bytes(inputs.bytes().clone()).sha256(),
        "file": file,
        "url": blob.map(|blob| &blob.url),
    })
}

/// How many of which type; the values themselves are nobody's business.
fn summary(values: &[ClearValue]) -> String {
    let mut runs: Vec<(jobs::fhe::program::ValueType, usize)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((kind, count)) if *kind == value.kind() => *count += 1,
            _ => runs.push((value.kind(), 1)),
        }
    }
    runs.iter().map(|(kind, count)| format!("{count} x {kind}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_not_told() {
        let values = [ClearValue::U8(5), ClearValue::U8(6), ClearValue::Bool(true), ClearValue::U8(7)];
        assert_eq!(summary(&values), "2 x u8, 1 x bool, 1 x u8");
    }
}
