//! POST /v1/api-keys

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{SubsecRound as _, Utc};
use jobs::{ErrorCode, FieldError, KeyMode, Role, Scope, Scopes, UserId};
use serde_json::json;
use store::api_keys::{Created, NewKey};

use super::presentation::{ApiKey, CreatedApiKey, created_example};
use super::request::{self, NewApiKey};
use crate::ApiState;
use crate::errors;
use crate::policy::api_keys::{MAX_API_KEYS, TEST_KEY_ROLE};
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::unregistered;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::policy::user_path;
use crate::token::Principal;

errors!(Errors: AnyToken, MfaRequired, InvalidRequest, InsufficientScope, NotFound, BodyTimeout, TooManyApiKeys,
    PayloadTooLarge, InvalidContentType);

/// Make an API key
///
/// The key stands in this answer and in no other one: what is stored is its SHA-256. It serves wherever an access token
/// does, for what its scopes and the role of its user allow at that moment. Nobody makes a key that allows more than the
/// credential that it was made with; a key makes keys only if it has `jobs:admin`. A request whose answer was lost has
/// perhaps made a key that nobody knows: revoke it.
#[utoipa::path(
    post, path = "/v1/api-keys", operation_id = "create_api_key", tag = "identity", security(("bearer" = [])),
    request_body(content = NewApiKey, example = json!({"name": "nightly import", "scopes": ["jobs:submit", "jobs:read"]})),
    responses(
        (status = 201, description = "The key.", body = CreatedApiKey,
         headers(("Location" = String, description = "The key.")), example = json!(created_example())),
        Errors
    )
)]
pub async fn create(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<Response, Problem> {
    principal.require_key_management()?;
    let now = Utc::now().trunc_subsecs(3);
    let wish = request::read(&body?.0, now)?;
    let user = wish.user.as_ref().unwrap_or(&principal.user);
    if *user != principal.user {
        principal.require(Scope::JobsAdmin)?;
    }
    let standing = store::users::standing(&state.pool, &principal.tenant, user).await?;
    let Some(standing) = standing else { return Err(no_user(&principal, user)) };
    let scopes = granted(&principal, standing.role, wish.mode, wish.scopes)?;
    let key = jobs::ApiKey::generate(wish.mode);
    let new = NewKey {
        key: &key,
        tenant: &principal.tenant,
        user,
        name: &wish.name,
        scopes: &scopes,
        created_by: &principal.user,
        expires_at: wish.expires_at,
    };
    let (mode, until) = (wish.mode.as_str(), wish.expires_at);
    let about = json!({"user": user, "scopes": scopes.to_string(), "mode": mode, "expires_at": until});
    let note = trail.note_at(&principal, format!("/v1/api-keys/{}", key.id()), about);
    match store::api_keys::create(&state.pool, &new, MAX_API_KEYS, &note).await? {
        Created::New(stored) => Ok(shown_once(&state, &key, ApiKey::of(&state, stored))),
        Created::NoSuchUser => Err(no_user(&principal, user)),
        Created::TooMany => Err(too_many(user)),
    }
}

fn too_many(user: &UserId) -> Problem {
    let detail = format!("The user {user} has {MAX_API_KEYS} keys in force: revoke one.");
    Problem::new(ErrorCode::TooManyApiKeys, detail)
}

/// The answer with the secret, which no cache keeps.
pub(super) fn shown_once(state: &ApiState, key: &jobs::ApiKey, about: ApiKey) -> Response {
    let location = format!("{}/v1/api-keys/{}", state.public_url, key.id());
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())];
    (StatusCode::CREATED, headers, Json(CreatedApiKey { key: key.as_str().to_owned(), about })).into_response()
}

fn no_user(principal: &Principal, user: &jobs::UserId) -> Problem {
    if *user == principal.user { unregistered() } else { user_path::not_found(user) }
}

/// What the key may allow: what the caller's credential, the user's role and the mode allow, all three.
fn granted(principal: &Principal, role: Role, mode: KeyMode, wanted: Option<Scopes>) -> Result<Scopes, Problem> {
    let mut limit = principal.scopes.common(&role.scopes());
    if mode == KeyMode::Test {
        limit = limit.common(&TEST_KEY_ROLE.scopes());
    }
    let scopes = wanted.unwrap_or_else(|| limit.clone());
    let reason = match scopes.outside(&limit) {
        None if scopes.is_empty() => "would be empty: the credential allows nothing that a key could".to_owned(),
        None => return Ok(scopes),
        Some(scope) if scope == Scope::JobsAdmin && mode == KeyMode::Test => {
            format!("{scope} is not for test keys: the tenant itself is administered")
        }
        Some(scope) if principal.scopes.contains(scope) => format!("{scope} is not brought by the user's role, {role}"),
        Some(scope) => format!("{scope} is not among the scopes of your own credential"),
    };
    Err(request::refusal(vec![FieldError::new("/scopes", reason)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Credential;

    fn caller(scopes: &str) -> Principal {
        Principal {
            tenant: "acme".parse().unwrap(),
            user: "ada".parse().unwrap(),
            role: Role::Admin,
            scopes: Scopes::read(scopes),
            credential: Credential::AccessToken,
        }
    }

    #[test]
    fn the_page_shows_what_is_said() {
        too_many(&"ada".parse().unwrap()).is_the_example_of_its_page();
    }

    #[test]
    fn a_key_allows_no_more_than_who_makes_it_and_whom_it_is_for() {
        let all = "jobs:submit jobs:read jobs:read:team jobs:admin";
        let grant = |caller_scopes: &str, role, mode, wanted: Option<&str>| {
            granted(&caller(caller_scopes), role, mode, wanted.map(Scopes::read)).map(|scopes| scopes.to_string()).ok()
        };
        let said = |scopes: &str| Some(scopes.to_owned());
        use KeyMode::{Live, Test};
        assert_eq!(grant(all, Role::Admin, Live, None), said(all));
        assert_eq!(grant(all, Role::Admin, Test, None), said("jobs:submit jobs:read jobs:read:team"));
        assert_eq!(grant(all, Role::Developer, Live, None), said("jobs:submit jobs:read"));
        assert_eq!(grant("jobs:read", Role::Admin, Live, None), said("jobs:read"));
        assert_eq!(grant(all, Role::Admin, Live, Some("jobs:read")), said("jobs:read"));
        assert_eq!(grant("jobs:read", Role::Admin, Live, Some("jobs:submit")), None, "beyond the caller's own");
        assert_eq!(grant(all, Role::Developer, Live, Some("jobs:read:team")), None, "beyond the user's role");
        assert_eq!(grant(all, Role::Admin, Test, Some("jobs:admin")), None);
        assert_eq!(grant("", Role::Admin, Live, None), None, "a key that allows nothing");
    }
}
