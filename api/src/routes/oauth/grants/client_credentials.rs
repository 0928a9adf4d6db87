//! `client_credentials` (RFC 6749 section 4.4): a program asks in its own name. It gets no refresh token (4.4.3).

use std::sync::Arc;

use store::oauth::clients;

use super::{asked_scopes, narrowed, role, signed};
use crate::ApiState;
use crate::routes::oauth::client_authentication::KnownClient;
use crate::routes::oauth::form::Form;
use crate::routes::oauth::refusal::{OAuthError, Refusal};
use crate::routes::oauth::token::TokenResponse;
use crate::token::Scopes;

pub async fn client_credentials(
    state: &Arc<ApiState>,
    client: &KnownClient,
    form: &Form,
) -> Result<TokenResponse, Refusal> {
    let KnownClient::Confidential(client) = client else {
        return Err(Refusal::new(
            OAuthError::UnauthorizedClient,
            "A public client has no credentials: use the device grant.",
        ));
    };
    let role = role(&client.holder)?;
    // The role may have changed since the client was made.
    let registered = Scopes::parse(&client.scope).unwrap_or_default();
    let scopes = narrowed(asked_scopes(form)?, registered.common(&role.scopes()))?;
    let token = signed(state, (&client.holder, role), scopes, (client.id.as_str(), None)).await?;
    clients::was_used(&state.pool, &client.id).await?;
    Ok(token)
}
