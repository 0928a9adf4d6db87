//! Secret keys: read from files and the environment, never from the command line; written for their owner alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use retrieval::{PublicKey, RecipientKey};
use zeroize::Zeroizing;

use super::error::CliError;
use super::globals::{Session, given};
use crate::encrypted::{EncryptedError, OwnKey, Submitter};

/// Where the submitter's key is looked for.
pub(super) const SUBMITTER_KEY: &str = "ZAMA_SUBMITTER_KEY";

/// Reading and writing for the owner.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// What every PEM form of a private key says (RFC 7468).
const PRIVATE_PEM: &[u8] = b"PRIVATE KEY-----";

/// Writes a new file that its owner alone may read.
pub(super) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_new(file, bytes, PRIVATE)
}

/// Writes a new file.
pub(super) fn write_public(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_new(file, bytes, PUBLIC)
}

/// Finds out, before the work begins whose outcome is to be written there, that a new file can be.
pub(super) fn check_new(file: &Path) -> Result<(), CliError> {
    write_new(file, b"", PRIVATE)?;
    std::fs::remove_file(file).map_err(|source| CliError::Write { target: file.display().to_string(), source })
}

/// A key that is overwritten is lost, and with it all that only it opens.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let name = || file.display().to_string();
    let mut open =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(|source| {
            match source.kind() {
                ErrorKind::AlreadyExists => {
                    CliError::usage(format!("{} exists already; it is not overwritten", name()))
                }
                _ => CliError::Write { target: name(), source },
            }
        })?;
    open.write_all(bytes).and_then(|()| open.sync_all()).map_err(|source| CliError::Write { target: name(), source })
}

/// Largest file that could be a secret key, in bytes.
const MAX_SECRET_KEY: u64 = 1024 * 1024;

/// Refuses to upload a secret key: the one mistake that could not be undone.
pub(super) fn refuse_secret(file: &Path) -> Result<(), CliError> {
    let unreadable = |error| CliError::usage(format!("cannot read {}: {error}", file.display()));
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_SECRET_KEY {
        return Ok(());
    }
    let bytes = read(file)?;
    if OwnKey::is_secret(&bytes) {
        let (file, evaluation) = (file.display(), evaluation_file(file));
        return Err(CliError::usage(format!(
            "{file} is a secret key, which never leaves your machine; its evaluation key, {}, may",
            evaluation.display()
        )));
    }
    if bytes.windows(PRIVATE_PEM.len()).any(|window| window == PRIVATE_PEM) {
        return Err(CliError::usage(format!("{} is a private key, which never leaves your machine", file.display())));
    }
    Ok(())
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    std::fs::read(file)
        .map(Zeroizing::new)
        .map_err(|error| CliError::usage(format!("cannot read {}: {error}", file.display())))
}

fn read_text(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let text = str::from_utf8(&read(file)?).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| CliError::usage(format!("{} is not text", file.display())))
}

/// The submitter's key: the file's, else the environment's, else that of the developer whose token is used.
pub(super) fn submitter(session: &Session, file: Option<&Path>) -> Result<Submitter, CliError> {
    known_submitter(session, file)?.ok_or_else(|| {
        CliError::usage(format!(
            "no submitter's key: give --submitter-key FILE or set {SUBMITTER_KEY} (32 bytes in 0x-hex)"
        ))
    })
}

/// As [`submitter`], if there is any.
pub(super) fn known_submitter(session: &Session, file: Option<&Path>) -> Result<Option<Submitter>, CliError> {
    if let Some(file) = file {
        return parsed(&read_text(file)?, &file.display().to_string()).map(Some);
    }
    let variable = std::env::var(SUBMITTER_KEY).ok();
    if let Some(text) = given(variable.as_deref()) {
        return parsed(text, SUBMITTER_KEY).map(Some);
    }
    let connection = session.connection()?;
    let dev = connection.dev(SUBMITTER_KEY);
    dev.map(|text| parsed(text, ".zama/dev.env")).transpose()
}

/// The text itself is never repeated.
fn parsed(text: &str, place: &str) -> Result<Submitter, CliError> {
    Submitter::from_hex(text).map_err(|error| CliError::usage(format!("{place}: {error}")))
}

/// A recipient's private key.
pub(super) fn recipient(file: &Path) -> Result<RecipientKey, CliError> {
    RecipientKey::from_pem(&read_text(file)?).map_err(|error| CliError::usage(format!("{}: {error}", file.display())))
}

/// A recipient's public key, from its own file or from the private one's.
pub(super) fn recipient_public(file: &Path) -> Result<PublicKey, CliError> {
    let text = read_text(file)?;
    let fault = |error| CliError::usage(format!("{}: {error}", file.display()));
    match RecipientKey::from_pem(&text) {
        Ok(key) => key.public_key().map_err(fault),
        Err(_) => PublicKey::from_pem(&text).map_err(fault),
    }
}

/// Where the evaluation key of a client's key lies, unless it is told.
pub(super) fn evaluation_file(secret: &Path) -> PathBuf {
    let mut name = secret.as_os_str().to_owned();
    name.push(".eval");
    name.into()
}

/// A client's own key. Its id is that of the evaluation key beside it, unless it is given.
pub(super) fn own_key(file: &Path, id: Option<B256>) -> Result<OwnKey, CliError> {
    let secret = read(file)?;
    let id = match id {
        Some(id) => id,
        None => {
            let evaluation = evaluation_file(file);
            let bytes = std::fs::read(&evaluation).map_err(|error| {
                CliError::usage(format!(
                    "the key's id is that of its evaluation key, but {}: {error}; give --key-id",
                    evaluation.display()
                ))
            })?;
            OwnKey::id_of(&bytes)
        }
    };
    OwnKey::from_bytes(&secret, id).map_err(|error| match error {
        EncryptedError::Key(error) => CliError::usage(format!("{} is no client key: {error}", file.display())),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_their_owners_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = (folder.path().join("key"), folder.path().join("key.pub"));
        write_private(&secret, b"secret").unwrap();
        write_public(&public, b"public").unwrap();
        assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&public).unwrap().permissions().mode() & 0o077 & 0o022, 0);
        let error = write_private(&secret, b"another").unwrap_err();
        assert!(matches!(&error, CliError::Usage(text) if text.contains("exists already")), "{error}");
        assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
        assert!(check_new(&secret).is_err() && check_new(&folder.path().join("no/such")).is_err());
        let free = folder.path().join("free");
        check_new(&free).unwrap();
        assert!(!free.exists(), "looking leaves nothing");
        write_public(&free, b"").unwrap();
        let nowhere = write_private(&folder.path().join("no/such/folder"), b"").unwrap_err();
        assert!(matches!(nowhere, CliError::Write { .. }));
    }

    #[test]
    fn a_wrong_key_file_is_named_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "0xnot-a-key-but-perhaps-a-secret").unwrap();
        for error in [
            known_submitter(&Session::new(crate::cli::Globals::default()), Some(&file)).unwrap_err(),
            recipient(&file).unwrap_err(),
            recipient_public(&file).unwrap_err(),
            own_key(&file, Some(B256::ZERO)).map(|_| ()).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains(file.to_str().unwrap()) && !text.contains("perhaps"), "{text}");
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(error.exit(), crate::cli::Exit::Usage);
        }
        let error = own_key(&file, None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("--key-id"), "{error}");
    }

    #[test]
    fn either_half_of_a_sealing_key_tells_the_public_one() {
        let folder = tempfile::tempdir().unwrap();
        let key = RecipientKey::generate();
        let (private, public) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&private, key.to_pem().unwrap().as_bytes()).unwrap();
        std::fs::write(&public, key.public_key().unwrap().to_pem()).unwrap();
        assert_eq!(recipient_public(&private).unwrap(), recipient_public(&public).unwrap());
        assert!(recipient(&public).is_err());
        let slip = refuse_secret(&private).unwrap_err();
        assert!(slip.to_string().contains("never leaves your machine"), "{slip}");
        assert!(refuse_secret(&public).is_ok());
    }
}
