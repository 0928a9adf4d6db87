//! The logins of this user, by API: kept in a file that it alone may read, renewed when they are used.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use crate::error::ClientError;
use crate::oauth::{Issuer, Tokens};
use crate::transport::Renewal;

/// The tokens of one login.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Login {
    pub access_token: String,
    pub refresh_token: Option<String>,
}

impl From<Tokens> for Login {
    fn from(tokens: Tokens) -> Self {
        Self { access_token: tokens.access_token, refresh_token: tokens.refresh_token }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    file: PathBuf,
}

/// Its content: logins by the API's origin.
type Logins = BTreeMap<String, Login>;

/// Held while the file is changed, so that of several commands one refreshes, and the others read what it got.
struct Turn {
    _lock: File,
}

impl Credentials {
    /// Kept in this file, which is made when there is something to keep.
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    /// The user's own: `zama-jobs/credentials.json` below `XDG_CONFIG_HOME`, else below `~/.config`.
    pub fn of_user() -> Option<Self> {
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")))?;
        Some(Self::at(folder.join("zama-jobs/credentials.json")))
    }

    /// The login at an API, if there is one.
    pub fn find(&self, api: &str) -> Result<Option<Login>, CliError> {
        Ok(self.read().map_err(|source| self.failed("read", &source))?.remove(key(api)))
    }

    /// Keeps a login in place of the one before it, which is returned.
    pub fn keep(&self, api: &str, login: Login) -> Result<Option<Login>, CliError> {
        self.change(|logins| logins.insert(key(api).to_owned(), login)).map_err(|source| self.failed("write", &source))
    }

    /// Forgets a login, which is returned.
    pub fn forget(&self, api: &str) -> Result<Option<Login>, CliError> {
        self.change(|logins| logins.remove(key(api))).map_err(|source| self.failed("write", &source))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Logins) -> T) -> io::Result<T> {
        let _turn = self.turn()?;
        let mut logins = self.read()?;
        let changed = change(&mut logins);
        self.write(&logins)?;
        Ok(changed)
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    fn turn(&self) -> io::Result<Turn> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.folder())?;
        let file = self.file.with_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(file)?;
        file.lock()?;
        Ok(Turn { _lock: file })
    }

    fn read(&self) -> io::Result<Logins> {
        match fs::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Logins::new()),
            Err(error) => Err(error),
        }
    }

    /// A reader sees the old file or the new one, and nobody else sees either.
    fn write(&self, logins: &Logins) -> io::Result<()> {
        let fresh = self.file.with_extension(format!("{}.new", uuid::Uuid::now_v7().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        serde_json::to_writer_pretty(&mut file, logins)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(fresh, &self.file)
    }

    fn failed(&self, doing: &str, source: &io::Error) -> CliError {
        CliError::usage(format!("cannot {doing} {}: {source}", self.file.display()))
    }
}

/// An origin has one spelling.
fn key(api: &str) -> &str {
    api.trim_end_matches('/')
}

/// Refreshes a login when its access token has expired.
pub(super) struct Refresh {
    pub credentials: Credentials,
    pub api: String,
}

impl Renewal for Refresh {
    fn renew<'a>(&'a self, expired: &'a str) -> BoxFuture<'a, Result<String, ClientError>> {
        self.refresh(expired).boxed()
    }
}

impl Refresh {
    async fn refresh(&self, expired: &str) -> Result<String, ClientError> {
        let local = |error: io::Error| ClientError::Configuration(format!("cannot keep the login: {error}"));
        let waiting = self.credentials.clone();
        let turn = tokio::task::spawn_blocking(move || waiting.turn()).await.map_err(|error| local(error.into()))?;
        let _turn = turn.map_err(local)?;
        let mut logins = self.credentials.read().map_err(local)?;
        let over = || {
            let again = format!("the login at {} is over: log in again (zama-jobs login --api {0})", self.api);
            ClientError::OAuth { error: "invalid_grant".to_owned(), description: again }
        };
        let login = logins.get(key(&self.api)).cloned().ok_or_else(over)?;
        if login.access_token != expired {
            // Another command was faster.
            return Ok(login.access_token);
        }
        let refresh_token = login.refresh_token.ok_or_else(over)?;
        let issuer = Issuer::new(&self.api)?;
        match issuer.refresh(&refresh_token).await {
            Ok(tokens) => {
                let fresh = Login::from(tokens);
                let access_token = fresh.access_token.clone();
                logins.insert(key(&self.api).to_owned(), fresh);
                self.credentials.write(&logins).map_err(local)?;
                Ok(access_token)
            }
            Err(ClientError::OAuth { .. }) => {
                logins.remove(key(&self.api));
                self.credentials.write(&logins).map_err(local)?;
                // Whoever used our token before us is not to keep the session.
                let _ = issuer.revoke(&refresh_token).await;
                Err(over())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn login(name: &str) -> Login {
        Login { access_token: format!("access {name}"), refresh_token: Some(format!("refresh {name}")) }
    }

    #[test]
    fn logins_are_kept_by_api_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().join("deep/credentials.json"));
        assert!(credentials.find("https://a").unwrap().is_none());
        credentials.keep("https://a/", login("one")).unwrap();
        credentials.keep("https://b", login("two")).unwrap();
        assert_eq!(credentials.find("https://a").unwrap().unwrap().access_token, "access one");
        let before = credentials.keep("https://a", login("three")).unwrap().unwrap();
        assert_eq!(before.refresh_token.as_deref(), Some("refresh one"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&credentials.file), 0o600);
        assert_eq!(mode(credentials.folder()), 0o700);
        credentials.forget("https://a").unwrap();
        assert!(credentials.find("https://a").unwrap().is_none());
        assert!(credentials.find("https://b").unwrap().is_some());
    }

    #[tokio::test]
    async fn what_another_command_got_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().join("credentials.json"));
        credentials.keep("http://127.0.0.1:1", login("new")).unwrap();
        let refresh = Refresh { credentials: credentials.clone(), api: "http://127.0.0.1:1/".to_owned() };
        assert_eq!(refresh.renew("access old").await.unwrap(), "access new");
        // Nobody listens there: the login is kept for another try.
        assert!(refresh.renew("access new").await.unwrap_err().is_transient());
        assert!(credentials.find("http://127.0.0.1:1").unwrap().is_some());
    }
}
