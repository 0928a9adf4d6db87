//! PATCH /v1/tenants/current

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use jobs::{ErrorCode, FieldError};
use serde::Deserialize;
use serde_json::Value;
use store::limits::rules::CreditRule;
use store::tenants::{FailedJobs, SettingsChange, change_settings};
use utoipa::ToSchema;

use super::presentation::{Tenant, example};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::unregistered;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, MfaRequired, InvalidRequest, BodyTimeout, PayloadTooLarge, InvalidContentType);

/// What is to change about a tenant; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct TenantChange {
    settings: Option<TenantSettingsChange>,
}

/// What is to change about a tenant's settings; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct TenantSettingsChange {
    /// Whether jobs that fail are confirmed on chain too.
    confirm_failed: Option<bool>,
    /// Whether nothing is accepted beyond what was paid before; what the operator wants so stays so.
    requires_credits: Option<bool>,
}

/// Change the tenant's settings
///
/// What its admins decide by themselves. Plan and name are the operators' (`zama-jobs tenants`).
#[utoipa::path(
    patch, path = "/v1/tenants/current", operation_id = "change_tenant", tag = "identity",
    security(("bearer" = ["jobs:admin"])),
    request_body(content = TenantChange, example = json!({"settings": {"confirm_failed": true}})),
    responses((status = 200, description = "The tenant as it is now.", body = Tenant, example = json!(example())), Errors)
)]
pub async fn change(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<Json<Tenant>, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let change = read(&body?.0)?;
    if change != SettingsChange::default() {
        may_change(&state, &principal, change).await?;
        let confirm = change.failed_jobs.map(|failed| failed == FailedJobs::Confirmed);
        let said = [("confirm_failed", confirm), ("requires_credits", change.requires_credits)];
        let about = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        let note = trail.note(&principal, Value::Object(about.collect()));
        change_settings(&state.pool, &principal.tenant, change, &note).await?;
    }
    let tenant = store::tenants::find(&state.pool, principal.tenant.as_str()).await?;
    tenant.map(|tenant| Json(tenant.into())).ok_or_else(unregistered)
}

/// Credits cannot be needed where there are none, nor left out where the operator wants them.
async fn may_change(state: &ApiState, principal: &Principal, change: SettingsChange) -> Result<(), Problem> {
    let reason = match change.requires_credits {
        Some(true) if state.prices().is_none() => "is not possible: nothing is billed here",
        Some(false) => {
            let tenant = store::tenants::find(&state.pool, principal.tenant.as_str()).await?;
            if tenant.is_none_or(|tenant| tenant.credits != CreditRule::Enforced) {
                return Ok(());
            }
            "is required by the operator"
        }
        _ => return Ok(()),
    };
    Err(refusal(vec![FieldError::new("/settings/requires_credits", reason)]))
}

fn read(body: &Value) -> Result<SettingsChange, Problem> {
    let mut errors = FieldErrors::default();
    let read = Object::open(&At::root(body), &mut errors).map(|mut object| {
        let settings = object.optional("settings").and_then(|at| Object::open(&at, &mut errors));
        object.close(&mut errors);
        let Some(mut settings) = settings else { return SettingsChange::default() };
        let confirm = settings.optional("confirm_failed").and_then(|at| at.boolean(&mut errors));
        let requires_credits = settings.optional("requires_credits").and_then(|at| at.boolean(&mut errors));
        settings.close(&mut errors);
        let failed_jobs = confirm.map(|confirm| if confirm { FailedJobs::Confirmed } else { FailedJobs::LeftOut });
        SettingsChange { failed_jobs, requires_credits }
    });
    errors.or(read).map_err(refusal)
}

fn refusal(errors: Vec<FieldError>) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, "The change is not valid.").with_errors(errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_stays_and_what_is_unknown_is_refused() {
        let none = SettingsChange::default();
        assert_eq!(read(&json!({})).unwrap(), none);
        assert_eq!(read(&json!({"settings": {}})).unwrap(), none);
        let off = read(&json!({"settings": {"confirm_failed": false}})).unwrap();
        assert_eq!(off, SettingsChange { failed_jobs: Some(FailedJobs::LeftOut), ..none });
        let prepaid = read(&json!({"settings": {"requires_credits": true}})).unwrap();
        assert_eq!(prepaid, SettingsChange { requires_credits: Some(true), ..none });
        for wrong in [
            json!([]),
            json!({"plan": "gold"}),
            json!({"settings": 1}),
            json!({"settings": {"confirm_failed": "on"}}),
            json!({"settings": {"requires_credits": 1}}),
            json!({"settings": {"credits_enforced": false}}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
