//! A key in an encrypted file, made as the documentation says: by `cast wallet import`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What opens it.
pub const PASSWORD: &str = "correct horse battery staple";

/// Two files: the key, encrypted, and its password.
pub struct Keystore {
    pub file: PathBuf,
    pub password_file: PathBuf,
}

impl Keystore {
    /// Of this private key (0x-hex), in a folder that is there.
    pub fn import(folder: &Path, name: &str, private_key: &str) -> Self {
        let (file, password_file) = (folder.join(name), folder.join(format!("{name}.password")));
        // With the end of line that editors leave.
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let mut cast = Command::new(tools_dir().join("node_modules/@foundry-rs/cast-linux-amd64/bin/cast"));
        cast.args(["wallet", "import", name, "--private-key", private_key, "--unsafe-password", PASSWORD]);
        let imported = cast.arg("--keystore-dir").arg(folder).output().unwrap();
        assert!(imported.status.success(), "{imported:?}");
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&private_key[2..]), "it is encrypted");
        Self { file, password_file }
    }

    /// As a setting's value.
    pub fn path(file: &Path) -> &str {
        file.to_str().unwrap()
    }
}

fn tools_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("ZAMA_TOOLS_DIR") {
        return dir.into();
    }
    let of_user = std::env::home_dir().map(|home| home.join(".cache/zama-jobs/tools"));
    of_user.filter(|folder| folder.exists()).unwrap_or_else(|| "/var/lib/zama-jobs/tools".into())
}
