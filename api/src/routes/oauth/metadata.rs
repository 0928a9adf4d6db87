//! GET /.well-known/oauth-authorization-server

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::client_assertion::ALGORITHMS;
use super::{device, grants, jwks, token};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{ALL_SCOPES, Scope};

const KEPT: &str = "public, max-age=300";

/// How clients prove themselves.
const AUTHENTICATION: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

errors!(Errors: Public);

/// What the issuer can do, and where (RFC 8414 section 2).
#[derive(Serialize, ToSchema)]
pub struct Metadata {
    /// `iss` of its tokens.
    pub issuer: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    pub revocation_endpoint: String,
    pub device_authorization_endpoint: String,
    #[schema(value_type = Vec<String>)]
    pub scopes_supported: Vec<&'static str>,
    /// None: there is no authorization endpoint.
    #[schema(value_type = Vec<String>)]
    pub response_types_supported: [&'static str; 0],
    #[schema(value_type = Vec<String>)]
    pub grant_types_supported: Vec<&'static str>,
    #[schema(value_type = Vec<String>)]
    pub token_endpoint_auth_methods_supported: [&'static str; 4],
    #[schema(value_type = Vec<String>)]
    pub token_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    #[schema(value_type = Vec<String>)]
    pub revocation_endpoint_auth_methods_supported: [&'static str; 4],
    #[schema(value_type = Vec<String>)]
    pub revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    pub service_documentation: String,
}

/// The issuer's metadata
///
/// RFC 8414: from here OAuth libraries find the other endpoints.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", operation_id = "get_issuer", tag = "oauth",
    responses(
        (status = 200, description = "The metadata.", body = Metadata,
         headers(("Cache-Control" = String, description = "How long it may be kept.")),
         example = json!(Metadata::of("https://api.example.com", "https://api.example.com"))),
        Errors
    )
)]
pub async fn metadata(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    let metadata = Metadata::of(state.tokens.issuer(), &state.public_url);
    Ok(([(header::CACHE_CONTROL, KEPT)], Json(metadata)).into_response())
}

impl Metadata {
    /// Of an issuer whose server is at `origin`.
    fn of(issuer: &str, origin: &str) -> Self {
        let at = |path: &str| format!("{origin}{path}");
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: at(token::PATH),
            jwks_uri: at(jwks::PATH),
            revocation_endpoint: at("/v1/oauth/revoke"),
            device_authorization_endpoint: at(device::AUTHORIZATION_PATH),
            scopes_supported: ALL_SCOPES.into_iter().map(Scope::as_str).collect(),
            response_types_supported: [],
            grant_types_supported: grants::ALL.into_iter().map(grants::GrantType::as_str).collect(),
            token_endpoint_auth_methods_supported: AUTHENTICATION,
            token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
            revocation_endpoint_auth_methods_supported: AUTHENTICATION,
            revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
            service_documentation: at("/docs"),
        }
    }
}
