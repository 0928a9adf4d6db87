//! PUT /v1/me/submitter

use std::sync::Arc;

use alloy::primitives::Address;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use jobs::ErrorCode;
use retrieval::{Registration, Signature};
use serde::Serialize;
use serde_json::{Value, json};
use store::submitters::{self, Asked, Registered};
use utoipa::ToSchema;

use super::request::{self, Proof, SubmitterProof};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::unregistered;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::token::Principal;

errors!(Errors: AnyToken, InvalidRequest, InsufficientScope, SignatureInvalid, BodyTimeout, NonceReplayed, SubmitterTaken,
    PayloadTooLarge, InvalidContentType);

/// The address that the caller's jobs belong to.
#[derive(Serialize, ToSchema)]
pub struct RegisteredSubmitter {
    #[schema(value_type = String, example = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8")]
    pub submitter: Address,
    pub registered_at: DateTime<Utc>,
}

/// Register a submitter address
///
/// From now on the caller's jobs belong to the address whose key signed the challenge; earlier jobs keep theirs, and
/// encrypted inputs that were made for another address are refused. An address is one user's. A challenge is used once,
/// also by whoever sees the signature: a repeated proof is refused. An API key may not register.
#[utoipa::path(
    put, path = "/v1/me/submitter", operation_id = "register_submitter", tag = "identity", security(("bearer" = [])),
    request_body(content = SubmitterProof, example = json!(proof_example())),
    responses(
        (status = 200, description = "The address is registered.", body = RegisteredSubmitter,
         example = json!({"submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
                          "registered_at": "2026-03-14T09:26:53.589Z"})),
        Errors
    )
)]
pub async fn register(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<Json<RegisteredSubmitter>, Problem> {
    principal.require_access_token()?;
    let proof = request::read_proof(&body?.0)?;
    let nonce = proof.nonce.0;
    let asked = submitters::asked(&state.pool, &principal.tenant, &principal.user, &nonce).await?;
    let asked = asked.ok_or_else(|| invalid("There is no such challenge of this user; ask for one, and sign that."))?;
    let submitter = check(&state, &principal, &proof, &asked)?;
    let note = trail.note(&principal, json!({ "submitter": submitter }));
    match submitters::register(&state.pool, &principal.tenant, &principal.user, &nonce, &note).await? {
        Registered::At(registered_at) => Ok(Json(RegisteredSubmitter { submitter, registered_at })),
        Registered::Replayed => {
            Err(Problem::new(ErrorCode::NonceReplayed, "The challenge was used before; ask for another one."))
        }
        Registered::Expired => Err(invalid("The challenge has expired; ask for another one.")),
        Registered::Taken => Err(taken(submitter)),
        Registered::NoSuchUser => Err(unregistered()),
    }
}

/// The address that asked to be registered, if its key signed.
fn check(state: &ApiState, principal: &Principal, proof: &Proof, asked: &Asked) -> Result<Address, Problem> {
    let submitter = Address::from(asked.submitter);
    let signature =
        Signature::from_bytes(&proof.signature).map_err(|error| invalid(&format!("The signature: {error}.")))?;
    let registration = Registration {
        tenant: principal.tenant.clone(),
        user: principal.user.clone(),
        submitter,
        nonce: proof.nonce,
        expires_at: u64::try_from(asked.expires_at.timestamp()).unwrap_or_default(),
    };
    match signature.signer(registration.digest(state.domain)) {
        Ok(signer) if signer == submitter => Ok(submitter),
        Ok(signer) => Err(invalid(&format!(
            "Over this challenge the signature is that of {signer}, not of {submitter}. Who signed another tenant, user, \
             nonce, time, chain or registry looks like a stranger."
        ))),
        Err(error) => Err(invalid(&format!("The signature: {error}."))),
    }
}

fn taken(submitter: Address) -> Problem {
    let detail = format!("The address {submitter} is registered by another user.");
    Problem::new(ErrorCode::SubmitterTaken, detail)
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ErrorCode::SignatureInvalid, detail)
}

fn proof_example() -> Value {
    json!({"nonce": format!("0x{}", "9d".repeat(32)), "signature": format!("0x{}1b", "5e".repeat(64))})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        let address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".parse().expect("an address");
        taken(address).is_the_example_of_its_page();
    }
}
