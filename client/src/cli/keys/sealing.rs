//! `keys sealing`: a key pair on P-256 for results that are to be opened later or elsewhere.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::secrets::{write_private, write_public};
use super::super::table::pairs;
use crate::RecipientKey;
use crate::encrypted::EncryptedError;

/// What `keys sealing` takes.
#[derive(Args, Debug)]
pub struct SealingArgs {
    /// New file for the private key (PKCS#8 PEM), readable by you alone; the public one goes to FILE.pub
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn sealing(session: &Session, args: &SealingArgs) -> Result<Exit, CliError> {
    let key = RecipientKey::generate();
    let public = key.public_key().map_err(EncryptedError::from)?;
    let mut public_file = args.out.clone().into_os_string();
    public_file.push(".pub");
    let public_file = PathBuf::from(public_file);
    if public_file.exists() {
        return Err(CliError::usage(format!("{} exists already; it is not overwritten", public_file.display())));
    }
    write_private(&args.out, key.to_pem().map_err(EncryptedError::from)?.as_bytes())?;
    write_public(&public_file, public.to_pem().as_bytes())?;
    let document = json!({ "private_key": args.out, "public_key": public_file, "public_key_hash": public.hash() });
    session.output.result(&document, |_| {
        pairs(&[
            ("Private key", args.out.display().to_string()),
            ("Public key", public_file.display().to_string()),
            ("SHA-256", format!("{} (of the public key's DER)", public.hash())),
        ])
    })?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::Globals;
    use crate::cli::secrets::{recipient, recipient_public};

    #[test]
    fn both_halves_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let args = SealingArgs { out: folder.path().join("sealing.pem") };
        let session = Session::new(Globals::default());
        assert_eq!(sealing(&session, &args).unwrap(), Exit::Success);
        let public = folder.path().join("sealing.pem.pub");
        assert_eq!(std::fs::metadata(&args.out).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(recipient(&args.out).unwrap().public_key().unwrap(), recipient_public(&public).unwrap());
        assert!(matches!(sealing(&session, &args), Err(CliError::Usage(_))), "a key is never overwritten");
    }
}
