//! GET /.well-known/jwks.json

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{JWKS_MAX_AGE, Jwk};

/// Its path.
pub const PATH: &str = "/.well-known/jwks.json";

errors!(Errors: Public);

/// The keys that sign access tokens.
#[derive(Serialize, ToSchema)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

/// The keys of access tokens
///
/// A JWK set (RFC 7517). A key stands here before it signs, for longer than this answer may be kept, and until its last
/// token has expired.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "get_keys", tag = "oauth",
    responses(
        (status = 200, description = "The keys.", body = JwkSet,
         headers(("Cache-Control" = String, description = "How long it may be kept.")),
         example = json!({"keys": [{"kty": "EC", "crv": "P-256",
                                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "use": "sig", "alg": "ES256",
                                    "kid": "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"}]})),
        Errors
    )
)]
pub async fn jwks(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    let away = |error: anyhow::Error| {
        tracing::warn!(error = format!("{error:#}"), "the keys cannot be read");
        Problem::new(ErrorCode::ServiceUnavailable, "The keys cannot be read now.")
    };
    let keys = Box::pin(state.tokens.jwks()).await.map_err(away)?;
    let kept = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    Ok(([(header::CACHE_CONTROL, kept)], Json(JwkSet { keys })).into_response())
}
