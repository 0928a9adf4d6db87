//! Which API the commands talk to, as whom, and how they answer: flags, then the environment, then `.zama/dev.env`.

use std::time::Duration;

use clap::Args;

use super::credentials::{Credentials, Refresh};
use super::dev_env::DevEnv;
use super::error::CliError;
use super::output::{Output, to_stderr};
use super::paint::tame;
use crate::error::ClientError;
use crate::transport::Client;

/// Shortest pause before a repetition that is worth a message.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// What every command about jobs takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Globals {
    /// Address of the API [default: ZAMA_API of .zama/dev.env, here or in a folder above]
    #[arg(long, global = true, env = "ZAMA_API", value_name = "URL", help_heading = "Connection")]
    pub api: Option<String>,
    /// Access token or API key [default: ZAMA_TOKEN of the same .zama/dev.env, for its own API only; else that of
    /// `zama-jobs login`]
    #[arg(long, global = true, env = "ZAMA_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    #[arg(help_heading = "Connection")]
    pub token: Option<String>,
    /// Print JSON on stdout; progress and messages stay on stderr
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
}

/// One run of a command.
pub(super) struct Session {
    globals: Globals,
    pub output: Output,
}

impl Session {
    pub fn new(globals: Globals) -> Self {
        let output = Output::new(globals.json);
        Self { globals, output }
    }

    pub fn client(&self) -> Result<Client, CliError> {
        let Connection { api, token, login, .. } = self.connection()?;
        let client = match login {
            Some(credentials) => Client::renewing(&api, &token, Refresh { credentials, api: api.clone() })?,
            None => Client::new(&api, &token)?,
        };
        Ok(client.with_retry_notice(announce_retry))
    }

    /// The address alone.
    pub fn api(&self) -> Result<String, CliError> {
        let dev = DevEnv::find()?;
        Ok(address(given(self.globals.api.as_deref()), dev.as_ref())?.to_owned())
    }

    /// The address and the token, and what else the file says about whoever the token is for.
    pub fn connection(&self) -> Result<Connection, CliError> {
        let (api, token) = (given(self.globals.api.as_deref()), given(self.globals.token.as_deref()));
        let dev = DevEnv::find()?;
        let (api, token) = resolve(api, token, dev.as_ref())?;
        let Some(token) = token else { return logged_in(api) };
        // The file's other values belong to the user of its own token.
        let dev = dev.filter(|dev| dev.get("ZAMA_TOKEN") == Some(token.as_str()));
        Ok(Connection { api, token, dev, login: None })
    }
}

/// An API and the caller's token for it.
pub(super) struct Connection {
    api: String,
    token: String,
    dev: Option<DevEnv>,
    /// Where the token is kept that renews itself.
    login: Option<Credentials>,
}

impl Connection {
    /// A value of `.zama/dev.env`, if the token is the file's.
    pub fn dev(&self, key: &str) -> Option<&str> {
        self.dev.as_ref().and_then(|dev| dev.get(key))
    }
}

/// Only for pauses that a person would notice.
fn announce_retry(error: &ClientError, pause: Duration) {
    if pause >= NOTICEABLE {
        to_stderr(&format!("{}; trying again in {} s\n", tame(&error.to_string()), pause.as_secs_f64().ceil()));
    }
}

/// An empty variable is as good as none.
pub(super) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// As whoever logged in there.
fn logged_in(api: String) -> Result<Connection, CliError> {
    let credentials = Credentials::of_user();
    let login = credentials.as_ref().map(|credentials| credentials.find(&api)).transpose()?.flatten();
    let login = login.ok_or_else(|| {
        CliError::usage(format!(
            "no access token for {api}: log in (`zama-jobs login`), give --token TOKEN or set ZAMA_TOKEN (in \
             development: `zama-jobs token --help`)"
        ))
    })?;
    Ok(Connection { api, token: login.access_token, dev: None, login: credentials })
}

fn address<'a>(api: Option<&'a str>, dev: Option<&'a DevEnv>) -> Result<&'a str, CliError> {
    api.or(dev.and_then(|dev| dev.get("ZAMA_API"))).ok_or_else(|| {
        CliError::usage(
            "no API address: give --api URL, set ZAMA_API, or run this where `zama-jobs dev` wrote .zama/dev.env",
        )
    })
}

/// The address, and the token unless nobody gave one.
fn resolve(api: Option<&str>, token: Option<&str>, dev: Option<&DevEnv>) -> Result<(String, Option<String>), CliError> {
    let dev_api = dev.and_then(|dev| dev.get("ZAMA_API"));
    let api = address(api, dev)?;
    // A developer's token is never sent to another server.
    let same_api = dev_api.is_some_and(|dev_api| dev_api.trim_end_matches('/') == api.trim_end_matches('/'));
    let dev_token = dev.filter(|_| same_api).and_then(|dev| dev.get("ZAMA_TOKEN"));
    Ok((api.to_owned(), token.or(dev_token).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev() -> DevEnv {
        DevEnv::parse("ZAMA_API=http://127.0.0.1:7600\nZAMA_TOKEN=dev\n").unwrap()
    }

    fn resolved(api: Option<&str>, token: Option<&str>) -> Result<(String, Option<String>), CliError> {
        resolve(api, token, Some(&dev()))
    }

    #[test]
    fn what_is_given_goes_before_the_file() {
        let pair = |api: &str, token: &str| (api.to_owned(), Some(token.to_owned()));
        assert_eq!(resolved(None, None).unwrap(), pair("http://127.0.0.1:7600", "dev"));
        assert_eq!(resolved(None, Some("mine")).unwrap(), pair("http://127.0.0.1:7600", "mine"));
        assert_eq!(resolved(Some("http://127.0.0.1:7600/"), None).unwrap().1.as_deref(), Some("dev"));
        assert_eq!(resolved(Some("https://a"), Some("mine")).unwrap(), pair("https://a", "mine"));
    }

    #[test]
    fn the_developers_token_stays_with_its_api() {
        assert_eq!(resolved(Some("https://elsewhere.example"), None).unwrap().1, None);
    }

    #[test]
    fn without_an_address_the_error_says_how_to_give_one() {
        let error = resolve(None, Some("mine"), None).unwrap_err();
        assert!(matches!(error, CliError::Usage(text) if text.contains("--api") && text.contains("ZAMA_API")));
        assert_eq!(given(Some(" ")), None);
    }
}
