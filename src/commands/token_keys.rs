//! `zama-jobs token keys`: the keys that sign the issuer's access tokens. They stand in the database; every process of the
//! API follows within seconds, and no token is refused because of a rotation.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::token::{JWKS_MAX_AGE, KeyState, ListedKey, list_keys, rotate_keys, withdraw_key};
use clap::Subcommand;
use serde_json::json;
use settings::Settings;

use super::parts;
use super::token::lifetime;
use crate::output;

#[derive(Subcommand)]
pub enum TokenKeysCommand {
    /// Add a key. It is published now and signs later; the one before it stays until its last token has expired.
    Rotate {
        /// How long it is published before it signs, for example 10m. Whoever keeps the published keys (for up to 5
        /// minutes) knows it by then. 0s: the key before it leaked.
        #[arg(long, default_value = "10m", value_parser = delay)]
        after: Duration,
    },
    /// List the keys, in the order in which they sign.
    List,
    /// Remove a key at once, with all tokens that it signed: it leaked.
    Withdraw {
        /// Id of the key (`kid`).
        kid: String,
    },
}

pub(super) async fn run(settings: &Settings, command: &TokenKeysCommand, json: bool) -> Result<()> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    match command {
        TokenKeysCommand::Rotate { after } => {
            let secret = parts::keys_secret(settings)?;
            let new = Box::pin(rotate_keys(&pool, &secret, *after)).await.context("Failed to add a key")?;
            if *after < JWKS_MAX_AGE {
                output::notice(
                    "it signs before everybody who checks tokens elsewhere has read it; the API itself knows it",
                );
            }
            if json {
                output::document(&json!({ "kid": new.kid, "signs_from": new.signs_from }))?;
            } else {
                let from = output::moment(new.signs_from);
                output::line(format_args!("{} signs from {from}", new.kid))?;
            }
        }
        TokenKeysCommand::List => {
            let keys = Box::pin(list_keys(&pool)).await?;
            if json {
                output::document(&json!(keys.iter().map(document).collect::<Vec<_>>()))?;
            } else {
                keys.iter().try_for_each(|key| output::line(line(key)))?;
            }
        }
        TokenKeysCommand::Withdraw { kid } => {
            if !Box::pin(withdraw_key(&pool, kid)).await? {
                bail!("there is no key {kid}");
            }
            output::notice(format_args!("{kid} is withdrawn: within a minute none of its tokens is accepted"));
        }
    }
    Ok(())
}

fn document(key: &ListedKey) -> serde_json::Value {
    let (created_at, signs_from) = (key.created_at, key.signs_from);
    json!({ "kid": key.kid, "state": state(key.state), "created_at": created_at, "signs_from": signs_from })
}

fn line(key: &ListedKey) -> String {
    format!("{}  {:<9}  signs from {}", key.kid, state(key.state), output::moment(key.signs_from))
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Published => "published",
        KeyState::Signs => "signs",
        KeyState::Retiring => "retiring",
        KeyState::Over => "over",
    }
}

/// As a lifetime, but none at all is one too.
fn delay(text: &str) -> Result<Duration, String> {
    if ["0", "0s", "0m"].contains(&text) { Ok(Duration::ZERO) } else { lifetime(text) }
}
