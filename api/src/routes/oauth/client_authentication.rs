//! Which client asks, and whether it is the one (RFC 6749 section 2.3): by a secret in the header or in the body, by an
//! assertion that it signed, or not at all, as the public command line.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use store::oauth::clients::{self, Client, Proof};
use url::form_urlencoded;

use super::client_assertion;
use super::form::Form;
use super::refusal::{OAuthError, Refusal};
use crate::ApiState;
use crate::policy::audit_trail::{Actor, Trail};
use crate::token::{COMMAND_LINE, secret};

/// Longest name of a client that is looked for, in bytes; ours have 26.
const MAX_CLIENT_ID: usize = 64;

/// A client that is known for who it is.
#[derive(Clone, Debug)]
pub enum KnownClient {
    /// The command line, whose name everybody has.
    CommandLine,
    Confidential(Box<Client>),
}

impl KnownClient {
    /// Its `client_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::CommandLine => COMMAND_LINE,
            Self::Confidential(client) => &client.id,
        }
    }
}

/// How a request says which client it comes from.
enum Credentials {
    Secret { id: String, secret: String },
    Assertion(String),
    Nothing { id: String },
}

/// Finds out which client asks. One that is known and does not prove itself is noted in its tenant's audit log.
///
/// # Errors
/// invalid_client, without a word about what was wrong; invalid_request when it authenticates in two ways.
pub async fn authenticate(
    state: &Arc<ApiState>,
    trail: &Trail,
    headers: &HeaderMap,
    form: &Form,
) -> Result<KnownClient, Refusal> {
    let (client, is_proved) = match credentials(headers, form)? {
        Credentials::Nothing { id } if id == COMMAND_LINE => return Ok(KnownClient::CommandLine),
        Credentials::Nothing { .. } => return Err(Refusal::client()),
        Credentials::Secret { id, secret } => {
            let client = find(state, &id).await?;
            let is_proved = has_secret(&client, &secret);
            (client, is_proved)
        }
        Credentials::Assertion(assertion) => {
            let claimed = client_assertion::claimed(&assertion).ok_or_else(Refusal::client)?;
            if form.get("client_id").is_some_and(|named| named != claimed) {
                return Err(Refusal::client());
            }
            let client = find(state, &claimed).await?;
            let is_proved = Box::pin(client_assertion::proves(state, &assertion, &client)).await?;
            (client, is_proved)
        }
    };
    if !is_proved {
        trail.refuses(&state.gate, Actor::claimed(&client), "invalid_client");
        return Err(Refusal::client());
    }
    Ok(KnownClient::Confidential(Box::new(client)))
}

/// The client of this name. What cannot be a name is nobody's, and no database is asked about it.
async fn find(state: &ApiState, id: &str) -> Result<Client, Refusal> {
    let is_name = id.len() <= MAX_CLIENT_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
    let found = if is_name { clients::find(&state.pool, id).await? } else { None };
    found.ok_or_else(Refusal::client)
}

fn has_secret(client: &Client, given: &str) -> bool {
    let Proof::Secret { hash, previous } = &client.proof else { return false };
    let given = secret::hash(given);
    let is = |hash: &[u8; 32]| verify_slices_are_equal(hash, &given).is_ok();
    is(hash) || previous.as_ref().is_some_and(|(hash, until)| *until > Utc::now() && is(hash))
}

fn credentials(headers: &HeaderMap, form: &Form) -> Result<Credentials, Refusal> {
    let basic = basic(headers)?;
    let (id, secret, assertion) = (form.get("client_id"), form.get("client_secret"), form.get("client_assertion"));
    let ways = [basic.is_some(), secret.is_some(), assertion.is_some()].into_iter().filter(|used| *used).count();
    if ways > 1 {
        return Err(Refusal::new(OAuthError::InvalidRequest, "The client authenticates in more than one way."));
    }
    match (basic, secret, assertion) {
        (Some((named, _)), ..) if id.is_some_and(|id| id != named) => {
            Err(Refusal::new(OAuthError::InvalidRequest, "The header and client_id name two clients."))
        }
        (Some((id, secret)), ..) => Ok(Credentials::Secret { id, secret }),
        (_, Some(secret), _) => {
            Ok(Credentials::Secret { id: form.require("client_id")?.to_owned(), secret: secret.to_owned() })
        }
        (.., Some(assertion)) => {
            if form.get("client_assertion_type") != Some(client_assertion::TYPE) {
                return Err(Refusal::new(OAuthError::InvalidRequest, "The client_assertion_type is not known."));
            }
            Ok(Credentials::Assertion(assertion.to_owned()))
        }
        (None, None, None) => {
            let id = id.ok_or_else(Refusal::client)?;
            Ok(Credentials::Nothing { id: id.to_owned() })
        }
    }
}

/// Name and secret of the header, both encoded as in a form (RFC 6749 section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let pair = value.to_str().ok().and_then(|text| {
        let (scheme, encoded) = text.split_once(' ')?;
        let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        Some((form_decoded(id), form_decoded(secret)))
    });
    match (pair, values.next()) {
        (Some(pair), None) => Ok(Some(pair)),
        _ => Err(Refusal::client()),
    }
}

fn form_decoded(text: &str) -> String {
    // What stands before the first `=` of a pair is its name.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn name_and_secret_are_read_from_the_header() {
        let encoded = format!("Basic {}", STANDARD.encode("zjc_a%2Bb:s%3A+e=c&r"));
        let (id, secret) = basic(&header(&encoded)).ok().flatten().unwrap();
        assert_eq!((id.as_str(), secret.as_str()), ("zjc_a+b", "s: e=c&r"));
        assert!(basic(&HeaderMap::new()).unwrap().is_none());
        for bad in ["Basic", "Basic !", "Bearer abc", &format!("Basic {}", STANDARD.encode("no colon"))] {
            assert!(basic(&header(bad)).is_err(), "{bad}");
        }
    }
}
