//! POST /v1/me/submitter/challenge

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use retrieval::{Domain, Registration};
use serde::Serialize;
use serde_json::{Value, json};
use store::submitters;
use utoipa::ToSchema;

use super::request::{self, NewSubmitterChallenge};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::unregistered;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::token::Principal;

/// Time to sign: a person with a hardware wallet needs some.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

errors!(Errors: AnyToken, InvalidRequest, InsufficientScope, BodyTimeout, PayloadTooLarge, InvalidContentType);

/// What the address's key must sign.
#[derive(Serialize, ToSchema)]
pub struct SubmitterChallenge {
    /// 32 random bytes, used once.
    #[schema(value_type = String)]
    pub nonce: B256,
    /// When it holds no longer.
    pub expires_at: DateTime<Utc>,
    /// EIP-712 document, as `eth_signTypedData_v4` takes it.
    #[schema(value_type = Object)]
    pub typed_data: Value,
}

/// Ask for a challenge
///
/// What the key of an address must sign before the address becomes the caller's submitter: `RegisterSubmitter(string
/// tenant,string user,address submitter,bytes32 nonce,uint256 expiresAt)` in the EIP-712 domain of this installation. It
/// holds for ten minutes and for this caller. An API key may not ask.
#[utoipa::path(
    post, path = "/v1/me/submitter/challenge", operation_id = "challenge_submitter", tag = "identity",
    security(("bearer" = [])),
    request_body(content = NewSubmitterChallenge,
                 example = json!({"submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"})),
    responses((status = 201, description = "The challenge.", body = SubmitterChallenge, example = json!(example())), Errors)
)]
pub async fn challenge(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<(StatusCode, Json<SubmitterChallenge>), Problem> {
    principal.require_access_token()?;
    let submitter = request::read_address(&body?.0)?;
    let note = trail.note(&principal, json!({ "submitter": submitter }));
    let registration = Registration {
        tenant: principal.tenant,
        user: principal.user,
        submitter,
        nonce: B256::from(rand::random::<[u8; 32]>()),
        // Whole seconds: what is signed has no others.
        expires_at: u64::try_from((Utc::now() + LIFETIME).timestamp()).unwrap_or_default(),
    };
    let answer = SubmitterChallenge::of(&registration, state.domain).ok_or_else(Problem::internal)?;
    let noted = submitters::Challenge {
        tenant: &registration.tenant,
        user: &registration.user,
        submitter: submitter.into_array(),
        nonce: registration.nonce.0,
        expires_at: answer.expires_at,
    };
    if !submitters::challenge(&state.pool, &noted, &note).await? {
        return Err(unregistered());
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

impl SubmitterChallenge {
    fn of(registration: &Registration, domain: Domain) -> Option<Self> {
        let expires_at = DateTime::from_timestamp(i64::try_from(registration.expires_at).ok()?, 0)?;
        Some(Self { nonce: registration.nonce, expires_at, typed_data: registration.typed_data(domain) })
    }
}

fn example() -> Option<SubmitterChallenge> {
    let registration = Registration {
        tenant: "acme".parse().ok()?,
        user: "ada".parse().ok()?,
        submitter: Address::repeat_byte(0x70),
        nonce: B256::repeat_byte(0x9d),
        expires_at: 1_773_480_413,
    };
    SubmitterChallenge::of(&registration, Domain { chain_id: 31_337, registry: Address::repeat_byte(0xaa) })
}
