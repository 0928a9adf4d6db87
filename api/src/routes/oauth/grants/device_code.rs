//! The device grant (RFC 8628 section 3.4): the device asks until the person has decided.

use std::sync::Arc;

use store::oauth::devices::{self, Poll, Polled};

use super::{lifetimes, role, signed};
use crate::ApiState;
use crate::routes::oauth::client_authentication::KnownClient;
use crate::routes::oauth::form::Form;
use crate::routes::oauth::refusal::{OAuthError, Refusal};
use crate::routes::oauth::token::TokenResponse;
use crate::token::secret::{SecretKind, hash, new_secret};
use crate::token::{Role, Scopes};

pub async fn device_code(state: &Arc<ApiState>, client: &KnownClient, form: &Form) -> Result<TokenResponse, Refusal> {
    let device = hash(form.require("device_code")?);
    let refresh_token = new_secret(SecretKind::RefreshToken);
    let poll =
        Poll { device, client: client.id(), refresh_token: hash(&refresh_token), lifetime: lifetimes().refresh_token };
    let refused = |error, description: &'static str| Err(Refusal::new(error, description));
    match devices::poll(&state.pool, poll, granted).await? {
        Polled::LetIn { session, holder, scope } => {
            let scopes = Scopes::parse(&scope).unwrap_or_default();
            let role = role(&holder)?;
            let token = signed(state, (&holder, role), scopes, (client.id(), Some(session))).await?;
            Ok(TokenResponse { refresh_token: Some(refresh_token), ..token })
        }
        Polled::Pending => refused(OAuthError::AuthorizationPending, "Nobody has decided yet: ask again."),
        Polled::TooEarly => refused(OAuthError::SlowDown, "Ask less often: five seconds more between two polls."),
        Polled::Denied => refused(OAuthError::AccessDenied, "The login was refused."),
        Polled::Expired => refused(OAuthError::ExpiredToken, "The login was not approved in time: begin again."),
        Polled::Unknown => refused(OAuthError::InvalidGrant, "The device code is not valid."),
    }
}

/// What a user with this role gets of what was asked for; all that the role brings when nothing was. A person who may
/// less than was asked for grants what it may.
fn granted(asked: &str, role: &str) -> Option<String> {
    let role: Role = role.parse().ok()?;
    let asked = Scopes::parse(asked).ok()?;
    let granted = if asked.is_empty() { role.scopes() } else { asked.common(&role.scopes()) };
    (!granted.is_empty()).then(|| granted.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_grants_more_than_it_has() {
        assert_eq!(granted("", "developer").as_deref(), Some("jobs:submit jobs:read"));
        assert_eq!(granted("jobs:read jobs:admin", "developer").as_deref(), Some("jobs:read"));
        assert_eq!(granted("jobs:admin", "developer"), None);
        assert_eq!(granted("jobs:admin", "admin").as_deref(), Some("jobs:admin"));
        assert_eq!(granted("", "root"), None);
    }
}
