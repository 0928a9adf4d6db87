//! `login` and `logout`: a person's own tokens, kept on this machine.

use clap::Args;
use serde_json::json;

use super::credentials::{Credentials, Login};
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::paint::tame;
use super::table::pairs;
use crate::oauth::Issuer;
use crate::transport::Client;

/// What `login` takes.
#[derive(Args, Debug)]
pub struct LoginArgs {
    /// What the login allows, separated by spaces [default: all that you may]
    #[arg(long, value_name = "SCOPES")]
    scopes: Option<String>,
}

pub(super) async fn login(session: &Session, args: &LoginArgs) -> Result<Exit, CliError> {
    let (api, credentials) = (session.api()?, own_credentials()?);
    let issuer = Issuer::new(&api)?;
    let waiting = issuer.begin(args.scopes.as_deref()).await?;
    let page = waiting.verification_uri_complete.as_deref().unwrap_or(&waiting.verification_uri);
    session.output.notice(&format!(
        "open {}\nand let the code {} in, with the login code that you were given; waiting for {} minutes",
        tame(page),
        tame(&waiting.user_code),
        waiting.expires_in / 60
    ));
    let tokens = Box::pin(issuer.decided(&waiting)).await?;
    let login = Login::from(tokens);
    let me = Client::new(&api, &login.access_token)?.me().await?;
    let before = credentials.keep(&api, login)?;
    // The session before this one is nobody's any more.
    if let Some(refresh_token) = before.and_then(|before| before.refresh_token) {
        let _ = issuer.revoke(&refresh_token).await;
    }
    let lines =
        [("Logged in", tame(&format!("{api} as {}/{}", me.tenant, me.user))), ("Scopes", tame(&me.scopes.join(" ")))];
    session.output.result(&me, |_| pairs(&lines))?;
    Ok(Exit::Success)
}

/// Forgets the login, and has its session ended: what cannot be told to the issuer is said.
pub(super) async fn logout(session: &Session) -> Result<Exit, CliError> {
    let (api, credentials) = (session.api()?, own_credentials()?);
    let Some(login) = credentials.forget(&api)? else {
        session.output.notice(&format!("there is no login at {api}"));
        return Ok(Exit::Success);
    };
    if let Some(refresh_token) = login.refresh_token {
        Issuer::new(&api)?.revoke(&refresh_token).await?;
    }
    session.output.result(&json!({ "api": api, "logged_in": false }), |_| pairs(&[("Logged out", api.clone())]))?;
    Ok(Exit::Success)
}

fn own_credentials() -> Result<Credentials, CliError> {
    Credentials::of_user().ok_or_else(|| CliError::usage("no place to keep a login: set HOME or XDG_CONFIG_HOME"))
}
