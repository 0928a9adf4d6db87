//! POST /v1/billing/lago-webhook

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use jobs::ErrorCode;
use jobs::billing_notice::{family, is_trouble};
use serde::Deserialize;
use store::accounts::notices::{Heard, hear};

use crate::ApiState;
use crate::errors;
use crate::notices::{KeyUnknown, Signature};
use crate::policy::body;
use crate::policy::observation::BILLING_TROUBLE;
use crate::policy::problem::Problem;

const SIGNATURE: &str = "x-lago-signature";
const ALGORITHM: &str = "x-lago-signature-algorithm";
const UNIQUE_KEY: &str = "x-lago-unique-key";

/// Longest unique key, in bytes.
const LONGEST_KEY: usize = 255;

errors!(Errors: Public, InvalidRequest, SignatureInvalid, BodyTimeout, PayloadTooLarge);

/// What every notice has.
#[derive(Deserialize)]
struct Notice {
    webhook_type: String,
}

/// Take a notice of the billing system
///
/// For Lago alone: `X-Lago-Signature` must be a JWT (RS256) of Lago's over this very body. A notice whose
/// `X-Lago-Unique-Key` was heard within 90 days is answered as the first time, and changes nothing. While Lago does not tell
/// its key, notices are refused with 503 and a `Retry-After`.
#[utoipa::path(
    post, path = "/v1/billing/lago-webhook", operation_id = "hear_lago", tag = "billing",
    request_body(content = serde_json::Value, content_type = "application/json", description = "The notice.",
                 example = json!({"webhook_type": "invoice.created", "object_type": "invoice"})),
    responses((status = 204, description = "It is noted."), Errors)
)]
pub async fn hear_lago(State(state): State<Arc<ApiState>>, request: Request) -> Result<StatusCode, Problem> {
    let (parts, content) = request.into_parts();
    let invalid = |detail: &str| Problem::new(ErrorCode::InvalidRequest, detail);
    let header =
        |name: &str| one(&parts.headers, name).ok_or_else(|| invalid(&format!("The header {name} is needed, once.")));
    let (signature, unique_key) = (header(SIGNATURE)?, header(UNIQUE_KEY)?);
    if one(&parts.headers, ALGORITHM).is_some_and(|algorithm| algorithm != "jwt") {
        return Err(invalid("The notice must be signed by a JWT: signature_algo `jwt` of the webhook endpoint."));
    }
    if unique_key.is_empty() || unique_key.len() > LONGEST_KEY {
        return Err(invalid(&format!("The header {UNIQUE_KEY} must have 1 to {LONGEST_KEY} characters.")));
    }
    let Some(notices) = &state.notices else {
        return Err(Problem::new(ErrorCode::ServiceUnavailable, "There is no billing system."));
    };
    notices.are_ready().await.map_err(not_checked)?;
    let content = body::read(content, state.max_body_bytes).await?;
    match notices.check(signature, &content).await {
        Ok(Signature::Genuine) => {}
        Ok(Signature::Forged) => {
            let detail = "The signature is not the billing system's over this body.";
            return Err(Problem::new(ErrorCode::SignatureInvalid, detail));
        }
        Err(unknown) => return Err(not_checked(unknown)),
    }
    let text = std::str::from_utf8(&content).map_err(|_| invalid("The notice is not UTF-8."))?;
    let notice: Notice = serde_json::from_str(text).map_err(|_| invalid("The notice has no webhook_type."))?;
    if notice.webhook_type.contains(char::is_control) {
        return Err(invalid("The notice's webhook_type has control characters."));
    }
    if hear(&state.pool, unique_key, &notice.webhook_type, text).await? == Heard::New {
        note(&notice.webhook_type);
    }
    Ok(StatusCode::NO_CONTENT)
}

fn not_checked(unknown: KeyUnknown) -> Problem {
    // Begun seconds count whole: sooner it is refused again.
    let seconds = unknown.again.as_secs() + 1;
    Problem::new(ErrorCode::ServiceUnavailable, "The signature cannot be checked now.").with_retry_after(seconds)
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// What somebody must look at is told aloud.
fn note(kind: &str) {
    metrics::counter!("zama_billing_notices_total", "kind" => family(kind)).increment(1);
    if is_trouble(kind) {
        metrics::counter!(BILLING_TROUBLE).increment(1);
        tracing::error!(notice.kind = kind, "the billing system reports trouble: zama-jobs billing notices --trouble");
    } else {
        tracing::info!(notice.kind = kind, "the billing system reports");
    }
}
