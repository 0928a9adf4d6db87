//! POST /v1/jobs/quote

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{SubsecRound as _, TimeDelta, Utc};
use jobs::QuoteId;
use jobs::quote::{LIFETIME_MINUTES, Quote};
use jobs::submission;
use serde_json::json;
use store::quotes::{NewQuote, Quoted, StoredQuote, make};

use super::super::new_job::{NewJob, encrypted_submission_example, submission_example};
use super::super::references;
use super::super::refusals::{invalid, late};
use super::super::units_left::{currency, refusal as limited};
use super::{credits, example, present};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::{unregistered, without_submitter};
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::policy::tenant_rules::Rules;
use crate::token::{Principal, Scope};

errors!(Errors: Token, InvalidRequest, JobValidationFailed, UnknownAlgorithm, BodyTimeout, SubmitterMissing,
    PayloadTooLarge, InvalidContentType, KeyMismatch, QuotaExceeded);

/// Quote a job
///
/// What the job would cost at most, without running it. The body is that of `POST /v1/jobs`, and is refused for the same
/// reasons; only that too many jobs are active at this moment is none, nor is it that credits are used up: where the tenant's
/// jobs are paid for by credits, `credits` tells whether they would suffice now, and holds none of them. Who submits the very
/// same body within fifteen minutes with the quote's id as its `quote_id` pays no more than the quote says, in any metric. Of
/// an encrypted job the units are exact when its parameters say the type and number of its inputs and its blob is uploaded;
/// else they are the most that it could be.
#[utoipa::path(
    post, path = "/v1/jobs/quote", operation_id = "quote_job", tag = "jobs", security(("bearer" = ["jobs:submit"])),
    request_body(content = NewJob, description = "At most 1 MiB; without `quote_id`.", examples(
        ("plain" = (summary = "A plain job", value = json!(submission_example()))),
        ("encrypted" = (summary = "A job on ciphertexts", value = json!(encrypted_submission_example())))
    )),
    responses(
        (status = 201, description = "The quote.", body = Quote, example = json!(example())),
        Errors
    )
)]
pub async fn create(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Extension(rules): Extension<Arc<Rules>>,
    trail: Trail,
    request: Request,
) -> Result<(StatusCode, Json<Quote>), Problem> {
    principal.require(Scope::JobsSubmit)?;
    let StrictJson(body) = StrictJson::from_request(request, &state).await?;
    // Milliseconds, so that the answer and the stored quote show the same time.
    let now = Utc::now().trunc_subsecs(3);
    let mut submission = submission::read_to_quote(&body, now, &state.public_url).map_err(invalid)?;
    references::check(&state, &principal.tenant, &mut submission).await?;
    if submission.is_late(now) {
        return Err(late());
    }
    let id = QuoteId::generate();
    let stored = StoredQuote {
        content_hash: submission.content_hash,
        units: submission.maximum_units(),
        created_at: now,
        expires_at: now + TimeDelta::minutes(LIFETIME_MINUTES),
        job_id: None,
    };
    let detail = json!({"quote_id": id, "algorithm": submission.algorithm(), "content_hash": submission.content_hash});
    let quoted = make(
        &state.pool,
        &NewQuote {
            id,
            tenant: &principal.tenant,
            user: &principal.user,
            content_hash: stored.content_hash,
            units: stored.units,
            ceilings: rules.plan.ceilings(rules.ceilings),
            created_at: stored.created_at,
            expires_at: stored.expires_at,
            audit: &trail.note(&principal, detail),
        },
    )
    .await?;
    match quoted {
        Quoted::Made => {
            let credits = credits(&state, &principal.tenant, &rules, &stored).await?;
            Ok((StatusCode::CREATED, Json(present(&principal.tenant, id, stored, credits))))
        }
        Quoted::UnknownUser => Err(unregistered()),
        Quoted::NoSubmitter => Err(without_submitter()),
        Quoted::Limited(by) => Err(limited(by, principal.role, currency(&state, &rules), now)),
    }
}
