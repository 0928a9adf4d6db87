//! `refresh_token` (RFC 6749 section 6): the next access token of a person's session, and its next refresh token.
//!
//! A refresh token is used once. Of several processes that use the same one at once, one succeeds; the others are told
//! invalid_grant, and read the new token wherever their owner keeps it. One that comes later than that was stolen, or
//! its successor was: the session ends, with all its tokens (RFC 9700 section 4.14.2).

use std::sync::Arc;

use serde_json::json;
use store::oauth::sessions::{self, Rotated, Rotation};

use super::{asked_scopes, lifetimes, narrowed, role, signed};
use crate::ApiState;
use crate::policy::audit_trail::{Trail, by_client};
use crate::routes::oauth::client_authentication::KnownClient;
use crate::routes::oauth::form::Form;
use crate::routes::oauth::refusal::{OAuthError, Refusal};
use crate::routes::oauth::token::TokenResponse;
use crate::token::Scopes;
use crate::token::secret::{SecretKind, hash, new_secret};

pub async fn refresh_token(
    state: &Arc<ApiState>,
    trail: &Trail,
    client: &KnownClient,
    form: &Form,
) -> Result<TokenResponse, Refusal> {
    let used = hash(form.require("refresh_token")?);
    let asked = asked_scopes(form)?;
    let no_more = || Refusal::new(OAuthError::InvalidGrant, "The refresh token is not valid.");
    // Before it is used up: a scope that was not granted costs nothing.
    let granted = sessions::scope_of(&state.pool, used).await?.ok_or_else(no_more)?;
    if let Some(asked) = &asked {
        narrowed(Some(asked.clone()), Scopes::parse(&granted).unwrap_or_default())?;
    }
    let next = new_secret(SecretKind::RefreshToken);
    let rotation = Rotation { client: client.id(), used, next: hash(&next), lifetimes: lifetimes() };
    let about = json!({ "error": "invalid_grant", "refresh_token": "used_again", "session": "ended" });
    let reuse = trail.draft_of_refusal(by_client(client.id()), about);
    let session = match sessions::rotate(&state.pool, rotation, &reuse).await? {
        Rotated::Renewed(session) => session,
        Rotated::Reused(session) => {
            state.tokens.is_revoked(&session.to_string());
            tracing::warn!(session.id = %session, "a refresh token came again: its session is revoked");
            return Err(no_more());
        }
        Rotated::Raced => {
            let description = "The refresh token was used a moment ago: use the one that it was exchanged for.";
            return Err(Refusal::new(OAuthError::InvalidGrant, description));
        }
        Rotated::Unknown | Rotated::Over => return Err(no_more()),
    };
    let role = role(&session.holder)?;
    // The role may have changed since the login.
    let allowed = Scopes::parse(&session.scope).unwrap_or_default().common(&role.scopes());
    let scopes = narrowed(asked.map(|asked| asked.common(&allowed)), allowed)?;
    let token = signed(state, (&session.holder, role), scopes, (client.id(), Some(session.id))).await?;
    Ok(TokenResponse { refresh_token: Some(next), ..token })
}
