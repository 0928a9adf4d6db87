//! PATCH /v1/tenants/current

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::ErrorCode;
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use serde::Deserialize;
use serde_json::{Value, json};
use store::tenants::{FailedJobs, set_failed_jobs};
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
    if let Some(failed) = read(&body?.0)? {
        let note = trail.note(&principal, json!({ "confirm_failed": failed == FailedJobs::Confirmed }));
        set_failed_jobs(&state.pool, &principal.tenant, failed, &note).await?;
    }
    let tenant = store::tenants::find(&state.pool, principal.tenant.as_str()).await?;
    tenant.map(|tenant| Json(tenant.into())).ok_or_else(unregistered)
}

fn read(body: &Value) -> Result<Option<FailedJobs>, Problem> {
    let mut errors = FieldErrors::default();
    let read = Object::open(&At::root(body), &mut errors).map(|mut object| {
        let settings = object.optional("settings").and_then(|at| Object::open(&at, &mut errors));
        object.close(&mut errors);
        let mut settings = settings?;
        let confirm = settings.optional("confirm_failed").and_then(|at| at.boolean(&mut errors));
        settings.close(&mut errors);
        confirm.map(|confirm| if confirm { FailedJobs::Confirmed } else { FailedJobs::LeftOut })
    });
    errors
        .or(read)
        .map_err(|errors| Problem::new(ErrorCode::InvalidRequest, "The change is not valid.").with_errors(errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_stays_and_what_is_unknown_is_refused() {
        assert_eq!(read(&json!({})).unwrap(), None);
        assert_eq!(read(&json!({"settings": {}})).unwrap(), None);
        let off = read(&json!({"settings": {"confirm_failed": false}})).unwrap();
        assert_eq!(off, Some(FailedJobs::LeftOut));
        for wrong in
            [json!([]), json!({"plan": "gold"}), json!({"settings": 1}), json!({"settings": {"confirm_failed": "on"}})]
        {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
