//! POST /v1/oauth/device/decision

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use store::oauth::login_codes::{self, Decided, Decision, Person};
use utoipa::ToSchema;

use super::page;
use crate::ApiState;
use crate::policy::audit_trail::{Actor, Trail};
use crate::policy::gate::TokenRequest;
use crate::routes::oauth::form::Form;
use crate::routes::oauth::refusal::Refusal;
use crate::routes::oauth::token::MeteredErrors;
use crate::token::secret::{as_given_out, hash};

const INCOMPLETE: &str = "Something is missing: go back, and fill in both codes.";

/// What a person decides.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is read as a form")]
pub struct DeviceDecision {
    /// The code that the device shows.
    #[schema(example = "BCDF-GHJK")]
    user_code: String,
    /// The person's one-time login code.
    #[schema(example = "ABCD-EFGH-2345-6789")]
    login_code: String,
    /// `approve` or `deny`.
    #[schema(example = "approve")]
    decision: String,
}

/// Decide about a login
///
/// What the page's form sends: with a one-time login code a person lets the device in as itself, or refuses it. The code
/// is used up by that, and by five codes of devices that there are not.
#[utoipa::path(
    post, path = "/v1/oauth/device/decision", operation_id = "decide_login", tag = "oauth",
    request_body(content = DeviceDecision, content_type = "application/x-www-form-urlencoded",
                 example = json!({"user_code": "BCDF-GHJK", "login_code": "ABCD-EFGH-2345-6789", "decision": "approve"})),
    responses(
        (status = 200, description = "It is decided.", body = String, content_type = "text/html",
         example = "<!doctype html>"),
        (status = 400, description = "One of the codes is not valid.", body = String, content_type = "text/html",
         example = "<!doctype html>"),
        MeteredErrors
    )
)]
pub async fn decide(
    State(state): State<Arc<ApiState>>,
    trail: Trail,
    _: TokenRequest,
    form: Result<Form, Refusal>,
) -> Result<Response, Refusal> {
    let refused = |text: &str| Ok(page::sentence(StatusCode::BAD_REQUEST, text));
    let form = match form {
        Ok(form) => form,
        Err(Refusal::OAuth { .. }) => return refused(INCOMPLETE),
        Err(problem) => return Err(problem),
    };
    let (user_code, login_code) = (form.get("user_code"), form.get("login_code"));
    let decision = match form.get("decision") {
        Some("approve") => Some(Decision::Approve),
        Some("deny") => Some(Decision::Deny),
        _ => None,
    };
    let (Some(user_code), Some(login_code), Some(decision)) = (user_code, login_code, decision) else {
        return refused(INCOMPLETE);
    };
    let (user_code, login_code) = (as_given_out(user_code), hash(&as_given_out(login_code)));
    match Box::pin(login_codes::decide(&state.pool, login_code, &user_code, decision)).await? {
        Decided::NotTheirs(person) => {
            if let Some(person) = person {
                trail.refuses(&state.gate, actor(person), "login_code_over");
            }
            refused("The login code is not valid: it was used, has expired, or was mistyped.")
        }
        Decided::NoDevice(person) => {
            trail.refuses(&state.gate, actor(person), "no_such_device");
            refused("Nothing waits under the code of the terminal: it was mistyped, or has expired.")
        }
        Decided::Done(person) => {
            let approved = decision == Decision::Approve;
            trail.tell(json!({ "approved": approved }));
            tracing::info!(tenant.id = %person.tenant, user.id = %person.user, approved, "a person decided about a login");
            trail.is_of(actor(person));
            let text = match decision {
                Decision::Approve => "It is let in. You may close this page.",
                Decision::Deny => "It was refused. You may close this page.",
            };
            Ok(page::sentence(StatusCode::OK, text))
        }
    }
}

fn actor(Person { tenant, user }: Person) -> Actor {
    Actor { tenant, user, credential: "login_code".to_owned() }
}
