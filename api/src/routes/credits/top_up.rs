//! POST /v1/credits/top-ups

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use serde::Deserialize;
use serde_json::{Value, json};
use store::credits::top_ups::{Kind, NewTopUp, Requested, request};
use utoipa::ToSchema;
use uuid::Uuid;

use super::presentation::{TopUp, requested_example};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::tenant_closed;
use crate::policy::body::StrictJson;
use crate::policy::idempotency_key::{self, REPLAYED};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

/// The largest top-up, in minor units.
const MOST: i64 = jobs::credits::LARGEST_TOP_UP;
/// Top-ups of a tenant that may wait for their payment at once, so that nobody makes invoices without end. Operators have no
/// limit.
const MOST_OPEN: i64 = 20;

errors!(Errors: Token, MfaRequired, InvalidRequest, InvalidIdempotencyKey, IdempotencyKeyReused, BodyTimeout,
    TooManyTopUps, PayloadTooLarge, InvalidContentType);

/// Credits that are to be bought.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct NewCredits {
    /// In minor units, without taxes.
    #[schema(minimum = 1, maximum = 100_000_000, example = 5000)]
    amount_cents: i64,
    /// ISO 4217 code: that of the tenant's plan, also when it is not given.
    #[schema(example = "EUR")]
    currency: Option<String>,
}

/// Buy credits
///
/// The billing system invoices them; they count once the invoice is paid. The same key and body are the same top-up, however
/// often and whenever they are sent: its first answer comes again. A key that was used with another body is refused. Of a
/// tenant 20 may wait for their payment at once.
#[utoipa::path(
    post, path = "/v1/credits/top-ups", operation_id = "top_up_credits", tag = "billing",
    security(("bearer" = ["jobs:admin"])),
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, example = "march-credits",
            description = "The client's name for this top-up: visible ASCII, not secret, its tenant's for ever.")),
    request_body(content = NewCredits, example = json!({"amount_cents": 5000, "currency": "EUR"})),
    responses(
        (status = 202, description = "The top-up is noted, and goes to the billing system.", body = TopUp,
         headers(
             ("Location" = String, description = "The top-up."),
             ("Idempotency-Replayed" = String, description = "`true` when the key was used before.")
         ),
         example = json!(requested_example())),
        Errors
    )
)]
pub async fn top_up(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    headers: HeaderMap,
    body: Result<StrictJson, Problem>,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let key = idempotency_key::given(&headers)?
        .ok_or_else(|| idempotency_key::invalid("A top-up needs an Idempotency-Key, so that it is made once."))?;
    let Some(prices) = state.prices() else {
        return Err(Problem::new(ErrorCode::ServiceUnavailable, "There is no billing system."));
    };
    let tenant = store::tenants::find(&state.pool, principal.tenant.as_str()).await?;
    let plan = tenant.map(|tenant| tenant.plan).unwrap_or_default();
    let currency = prices.currency(&plan);
    let amount_cents = read(&body?.0, currency)?;
    let id = Uuid::now_v7();
    let about = json!({"amount_cents": amount_cents, "currency": currency, "idempotency_key": key.as_str()});
    let note = trail.note_at(&principal, format!("/v1/credits/top-ups/{id}"), about);
    let new = NewTopUp {
        id,
        tenant: &principal.tenant,
        key: &key,
        amount_cents,
        currency,
        kind: Kind::Paid,
        requested_by: Some(&principal.user),
        most_open: Some(MOST_OPEN),
    };
    let (top_up, replayed) = match request(&state.pool, &new, &note).await? {
        Requested::New(top_up) => (top_up, false),
        Requested::Known(top_up) => (top_up, true),
        Requested::KeyReused { first_use } => return Err(idempotency_key::reused(first_use)),
        Requested::TooMany => return Err(too_many()),
        Requested::Closed { .. } => return Err(tenant_closed()),
    };
    let top_up = TopUp::as_requested(&state, top_up);
    let location = [(header::LOCATION, top_up.links.this.clone())];
    let mut answer = (StatusCode::ACCEPTED, location, Json(top_up)).into_response();
    if replayed {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

fn read(body: &Value, currency: &str) -> Result<i64, Problem> {
    let mut errors = FieldErrors::default();
    let amount = Object::open(&At::root(body), &mut errors).and_then(|mut object| {
        let amount = object.required("amount_cents").and_then(|at| at.integer(1..=MOST, &mut errors));
        if let Some(at) = object.optional("currency")
            && at.text(&mut errors).is_some_and(|given| given != currency)
        {
            errors.add(&at.pointer, format!("must be {currency}, as the tenant's plan has it"));
        }
        object.close(&mut errors);
        amount
    });
    errors
        .or(amount)
        .map_err(|errors| Problem::new(ErrorCode::InvalidRequest, "The top-up is not valid.").with_errors(errors))
}

fn too_many() -> Problem {
    let detail = format!("{MOST_OPEN} top-ups of the tenant are open, as many as may be: pay their invoices first.");
    Problem::new(ErrorCode::TooManyTopUps, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        too_many().is_the_example_of_its_page();
    }

    #[test]
    fn an_amount_is_whole_and_in_the_plans_currency() {
        assert_eq!(read(&json!({"amount_cents": 1}), "EUR").unwrap(), 1);
        assert_eq!(read(&json!({"amount_cents": MOST, "currency": "EUR"}), "EUR").unwrap(), MOST);
        for wrong in [
            json!({}),
            json!({"amount_cents": 0}),
            json!({"amount_cents": -5}),
            json!({"amount_cents": 1.5}),
            json!({"amount_cents": "5"}),
            json!({"amount_cents": MOST + 1}),
            json!({"amount_cents": 5, "currency": "USD"}),
            json!({"amount_cents": 5, "kind": "granted"}),
        ] {
            assert!(read(&wrong, "EUR").is_err(), "{wrong}");
        }
    }
}
