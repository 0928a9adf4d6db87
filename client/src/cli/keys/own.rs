//! `keys generate`, `keys upload`, `keys list`, `keys delete`: keys that the client holds.

use std::path::PathBuf;
use std::time::Duration;

use alloy::primitives::B256;
use clap::Args;
use serde_json::json;

use super::super::card;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::moment::duration;
use super::super::paint::{Paint, tame};
use super::super::secrets::{check_new, evaluation_file, refuse_secret, write_private, write_public};
use super::super::table::{Table, pairs};
use super::super::working::Working;
use crate::encrypted::{KeyStatus, Keys, OwnKeyFiles, Upload, UploadedKey};

/// What `keys generate` takes.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// New file for the secret key, readable by you alone; it never leaves this machine
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// New file for the evaluation key, which is uploaded [default: FILE.eval]
    #[arg(long, value_name = "FILE")]
    evaluation_key: Option<PathBuf>,
}

/// What `keys upload` takes.
#[derive(Args, Debug)]
pub struct UploadArgs {
    /// File with the evaluation key that `keys generate` made.
    file: PathBuf,
    /// Do not wait until the key is checked
    #[arg(long)]
    no_wait: bool,
    /// Give up waiting after this time (90s, 10m); the check goes on
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "no_wait")]
    max_wait: Option<Duration>,
}

/// What `keys delete` takes.
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Id of the key, as `keys list` shows it
    #[arg(value_name = "0xHASH")]
    key_id: B256,
}

pub(super) async fn generate(session: &Session, args: &GenerateArgs) -> Result<Exit, CliError> {
    let evaluation = args.evaluation_key.clone().unwrap_or_else(|| evaluation_file(&args.out));
    for file in [&args.out, &evaluation] {
        check_new(file)?;
    }
    let keys = {
        let _working = Working::start("making keys");
        OwnKeyFiles::generate().await?
    };
    write_private(&args.out, &keys.secret_key)?;
    write_public(&evaluation, &keys.evaluation_key)?;
    let document = json!({ "key_id": keys.key_id, "secret_key": args.out, "evaluation_key": evaluation });
    session.output.result(&document, |paint| {
        pairs(&[
            ("Key", paint.strong(&keys.key_id.to_string())),
            ("Secret key", format!("{} (keep it: what it opens, nothing else does)", args.out.display())),
            ("Evaluation key", evaluation.display().to_string()),
        ])
    })?;
    session.output.notice(&format!("upload it with: zama-jobs keys upload {}", evaluation.display()));
    Ok(Exit::Success)
}

pub(super) async fn upload(session: &Session, args: &UploadArgs) -> Result<Exit, CliError> {
    refuse_secret(&args.file)?;
    let upload = Upload::of_file(&args.file).await?;
    let client = session.client()?;
    let mut key = {
        let working = Working::transfer("uploading the evaluation key", upload.size());
        client.upload_evaluation_key(&upload, &working.on_bytes()).await?
    };
    if key.status == KeyStatus::Pending && !args.no_wait {
        let _working = Working::start("a worker checks the key");
        key = client.wait_for_key(key.key_id, args.max_wait).await?;
    }
    session.output.result(&key, |paint| card(&key, paint))?;
    Ok(match key.status {
        KeyStatus::Ready => Exit::Success,
        KeyStatus::Refused => Exit::Refused,
        KeyStatus::Pending if args.no_wait => Exit::Success,
        KeyStatus::Pending => Exit::TimedOut,
    })
}

pub(super) async fn list(session: &Session) -> Result<Exit, CliError> {
    let keys = session.client()?.keys().await?;
    session.output.result(&keys, |paint| table(&keys, paint))?;
    if keys.network.is_none() && keys.client.is_empty() {
        session.output.notice("no keys");
    }
    Ok(Exit::Success)
}

pub(super) async fn delete(session: &Session, args: &DeleteArgs) -> Result<Exit, CliError> {
    session.client()?.delete_key(args.key_id).await?;
    let document = json!({ "key_id": args.key_id, "deleted": true });
    session.output.result(&document, |paint| pairs(&[("Deleted", paint.strong(&args.key_id.to_string()))]))?;
    Ok(Exit::Success)
}

fn card(key: &UploadedKey, paint: Paint) -> String {
    let mut lines = vec![
        ("Key", paint.strong(&key.key_id.to_string())),
        ("Status", key.status.as_str().to_owned()),
        ("Size", format!("{} bytes", key.size)),
        ("Created", card::time(key.created_at)),
    ];
    lines.extend(key.detail.as_ref().map(|detail| ("Why", tame(detail))));
    pairs(&lines)
}

fn table(keys: &Keys, paint: Paint) -> String {
    let mut table = Table::new(&["KEY", "HOLDER", "STATUS", "CREATED"]);
    if let Some(key) = &keys.network {
        table.row(vec![key.key_id.to_string(), "network".to_owned(), "ready".to_owned(), String::new()]);
    }
    for key in &keys.client {
        let (status, created) = (key.status.as_str().to_owned(), card::time(key.created_at));
        table.row(vec![key.key_id.to_string(), "client".to_owned(), status, created]);
    }
    if keys.network.is_none() && keys.client.is_empty() {
        return String::new();
    }
    table.render(|row, _, cell| if row.is_none() { paint.strong(cell) } else { cell.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_row() {
        let id = |byte: &str| format!("0x{}", byte.repeat(32));
        let keys: Keys = serde_json::from_value(json!({
            "network": null,
            "client": [{
                "key_id": id("7c"), "status": "pending", "detail": null, "size": 3,
                "created_at": "2026-03-14T09:26:53.589Z", "links": { "self": "/k" }
            }]
        }))
        .unwrap();
        let text = table(&keys, Paint::plain());
        assert!(text.starts_with("KEY "), "{text}");
        assert!(text.contains(&format!("{}  client  pending  2026-03-14 09:26:53Z", id("7c"))), "{text}");
    }

    #[test]
    fn a_refused_key_says_why() {
        let key: UploadedKey = serde_json::from_value(json!({
            "key_id": format!("0x{}", "7c".repeat(32)), "status": "refused", "detail": "is of other parameters",
            "size": 3, "created_at": "2026-03-14T09:26:53Z"
        }))
        .unwrap();
        assert!(card(&key, Paint::plain()).contains("Why      is of other parameters\n"));
    }

    #[tokio::test]
    async fn own_keys_are_made_for_their_owner_and_the_secret_one_is_never_uploaded() {
        use std::os::unix::fs::PermissionsExt;

        use crate::cli::Globals;
        use crate::cli::secrets::own_key;
        use crate::encrypted::OwnKey;

        let folder = tempfile::tempdir().unwrap();
        let args = GenerateArgs { out: folder.path().join("client.key"), evaluation_key: None };
        let session = Session::new(Globals { json: true, ..Globals::default() });
        assert_eq!(generate(&session, &args).await.unwrap(), Exit::Success);
        assert_eq!(std::fs::metadata(&args.out).unwrap().permissions().mode() & 0o777, 0o600);
        let evaluation = folder.path().join("client.key.eval");
        let id = OwnKey::id_of(&std::fs::read(&evaluation).unwrap());
        assert_eq!(own_key(&args.out, None).unwrap().id(), id, "the file beside it tells the id");

        let slip = refuse_secret(&args.out).unwrap_err();
        assert!(matches!(&slip, CliError::Usage(text) if text.contains("client.key.eval")), "{slip}");
        assert!(refuse_secret(&evaluation).is_ok());
        let again = generate(&session, &args).await.unwrap_err();
        assert!(matches!(&again, CliError::Usage(text) if text.contains("exists already")), "{again}");
    }
}
