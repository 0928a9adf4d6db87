//! POST /v1/jobs

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use jobs::submission::{self, Submission};
use jobs::wire::{Accepted, Job};
use jobs::{IdempotencyKey, JobId, JobStatus};
use serde_json::{Value, json};
use store::admission::{Admission, Admitted, admit};

use super::new_job::{NewJob, accepted_example, encrypted_submission_example, job_example, submission_example};
use super::presentation::present;
use super::references;
use super::refusals::{invalid, late, not_quoted};
use super::units_left::{currency, prepaid, quota_warning, refusal as limited};
use super::wait::until_terminal;
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::{unregistered, without_submitter};
use crate::policy::body::StrictJson;
use crate::policy::idempotency_key::{self, KEY, REPLAYED};
use crate::policy::prefer;
use crate::policy::problem::Problem;
use crate::policy::request_id::RequestId;
use crate::policy::tenant_rules::Rules;
use crate::token::{Principal, Scope};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const QUOTA_WARNING: HeaderName = HeaderName::from_static("x-quota-warning");

/// Seconds from a result to its confirmation on chain: a batch fills, and blocks go by.
const CONFIRMATION_SECONDS: u64 = 4;

/// Longest advice in `Retry-After`, in seconds.
const MAX_RETRY_SECONDS: u64 = 30;

errors!(Errors: Token, InvalidRequest, JobValidationFailed, UnknownAlgorithm, InvalidIdempotencyKey, BodyTimeout,
    CostCeilingExceeded, QuoteNotFound, RequestInProgress, SubmitterMissing, QuoteUsed, QuoteExpired, PayloadTooLarge,
    InvalidContentType, IdempotencyKeyReused, QuoteMismatch, KeyMismatch, QuotaExceeded, TooManyActiveJobs,
    CreditsExhausted);

/// Submit a job
///
/// Answers 202 as soon as the job is stored; it is then started exactly once, whatever fails afterwards. With an
/// `Idempotency-Key` of its own a client may repeat the request as often as it likes within 24 hours: the same body
/// gets the same 202 again, and there is one job. With `Prefer: wait=N` the answer is 200 and the finished job if it
/// ends within N seconds and the token may read it: without `jobs:read` the preference is not heeded. With a `quote_id` the
/// job costs no more than was quoted: what would cost more is refused here, or stopped before it is computed.
#[utoipa::path(
    post, path = "/v1/jobs", operation_id = "submit_job", tag = "jobs", security(("bearer" = ["jobs:submit"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
         description = "The client's name for this submission: visible ASCII, not secret, its tenant's for 24 hours. \
                        Made and returned when absent."),
        ("Prefer" = Option<String>, Header, example = "wait=30",
         description = "`wait=N`: wait up to N seconds for the job's end, 60 at most: more is taken for 60. A wait that \
                        is no number of seconds is ignored (RFC 7240); `Preference-Applied` tells what was heeded.")
    ),
    request_body(content = NewJob, description = "At most 1 MiB.", examples(
        ("plain" = (summary = "A plain job", value = json!(submission_example()))),
        ("encrypted" = (summary = "A job on ciphertexts", value = json!(encrypted_submission_example())))
    )),
    responses(
        (status = 202, description = "The job is accepted.", body = Accepted,
         headers(
             ("Location" = String, description = "The job."),
             ("Retry-After" = u64, description = "Seconds after which a look at the job is worth while."),
             ("Idempotency-Key" = String, description = "The key, the client's or a new one."),
             ("Idempotency-Replayed" = String, description = "`true` when the key was used before."),
             ("Preference-Applied" = String, description = "`wait=N`, when the client's wait was heeded."),
             ("X-Quota-Warning" = String, description = "This month's units, once the plan's package is used up.")
         ),
         example = json!(accepted_example())),
        (status = 200, description = "The job has ended within the time that the client would wait.", body = Job,
         headers(
             ("Location" = String, description = "The job."),
             ("Idempotency-Key" = String, description = "The key, the client's or a new one."),
             ("Idempotency-Replayed" = String, description = "`true` when the key was used before."),
             ("Preference-Applied" = String, description = "`wait=N`, as it was heeded."),
             ("X-Quota-Warning" = String, description = "This month's units, once the plan's package is used up.")
         ),
         example = json!(job_example())),
        Errors
    )
)]
pub async fn submit(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Extension(request_id): Extension<RequestId>,
    Extension(rules): Extension<Arc<Rules>>,
    trail: Trail,
    request: Request,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let key = idempotency_key::given(request.headers())?.unwrap_or_else(IdempotencyKey::generate);
    // The job at its end is for those who may read it.
    let wait = prefer::wait(request.headers()).filter(|_| principal.may_read());
    let StrictJson(body) = StrictJson::from_request(request, &state).await?;

    // Milliseconds, so that the 202 and the stored job show the same time.
    let now = Utc::now().trunc_subsecs(3);
    let mut submission = submission::read(&body, now, &state.public_url).map_err(invalid)?;
    if let Err(problem) = references::check(&state, &principal.tenant, &mut submission).await {
        // What an accepted job named may be gone when its submission is repeated.
        let hash = submission.content_hash;
        return match store::admission::earlier(&state.pool, &principal.tenant, &key, hash.as_slice(), now).await? {
            Some(Admitted::Replayed { response }) => {
                answer(&state, &principal, Accepting { accepted: stored(&response)?, replayed: true, key, wait }).await
            }
            Some(Admitted::KeyReused { first_use }) => Err(idempotency_key::reused(first_use)),
            _ => Err(problem),
        };
    }
    let accepted = accepted(&state, &submission, now);
    let response = serde_json::to_string(&accepted).map_err(|_| Problem::internal())?;
    let admitted = admit(
        &state.pool,
        Admission {
            job_id: accepted.job_id,
            tenant: &principal.tenant,
            user: &principal.user,
            key: &key,
            submission: &submission,
            limits: rules.plan.admission(principal.role, rules.ceilings),
            prepaid: prepaid(&state, &rules),
            created_at: now,
            estimated_completion: accepted.estimated_completion,
            request_id: request_id.as_str(),
            response: &response,
            audit: &trail.note_at(&principal, format!("/v1/jobs/{}", accepted.job_id), detail(&submission)),
        },
    )
    .await?;
    let mut warning = None;
    let (accepted, replayed) = match admitted {
        Admitted::New { month } => {
            state.dispatcher.wake();
            warning = month.and_then(|month| quota_warning(&rules, month));
            (accepted, false)
        }
        Admitted::Replayed { response } => (stored(&response)?, true),
        Admitted::KeyReused { first_use } => return Err(idempotency_key::reused(first_use)),
        Admitted::Late => return Err(late()),
        Admitted::InProgress => return Err(idempotency_key::in_progress()),
        Admitted::UnknownUser => return Err(unregistered()),
        Admitted::NoSubmitter => return Err(without_submitter()),
        Admitted::Missing(kind) => return Err(references::gone(kind)),
        Admitted::Limited(by) => return Err(limited(by, principal.role, currency(&state, &rules), now)),
        Admitted::NotQuoted(unusable) => return Err(not_quoted(unusable)),
    };
    let mut answer = answer(&state, &principal, Accepting { accepted, replayed, key, wait }).await?;
    if let Some(warning) = warning {
        answer.headers_mut().insert(QUOTA_WARNING, warning);
    }
    Ok(answer)
}

/// What the audit log says of a job beside its id.
fn detail(submission: &Submission) -> Value {
    let mut detail = json!({"algorithm": submission.algorithm(), "content_hash": submission.content_hash});
    if let Some(quote) = submission.quote {
        detail["quote_id"] = json!(quote.id);
    }
    detail
}

/// A job that is accepted, now or before.
struct Accepting {
    accepted: Accepted,
    replayed: bool,
    key: IdempotencyKey,
    wait: Option<Duration>,
}

async fn answer(state: &ApiState, principal: &Principal, accepting: Accepting) -> Result<Response, Problem> {
    let Accepting { accepted, replayed, key, wait } = accepting;
    let mut answer = match wait {
        Some(limit) => wait_or_accept(state, principal, &accepted, limit).await?,
        None => accept(&accepted),
    };
    let headers = answer.headers_mut();
    if let Ok(key) = HeaderValue::from_str(key.as_str()) {
        headers.insert(KEY, key);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

fn accepted(state: &ApiState, submission: &Submission, now: DateTime<Utc>) -> Accepted {
    let job_id = JobId::generate();
    let seconds = submission.estimated_seconds() + CONFIRMATION_SECONDS;
    let estimate = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::from(u32::MAX)));
    Accepted {
        job_id,
        status: JobStatus::Pending,
        created_at: now,
        estimated_completion: now + estimate,
        links: state.links(job_id),
    }
}

/// The first 202, as it was stored with its key.
fn stored(response: &str) -> Result<Accepted, Problem> {
    serde_json::from_str(response).map_err(|error| Problem::damaged("response", error))
}

fn accept(accepted: &Accepted) -> Response {
    let estimate = (accepted.estimated_completion - accepted.created_at).num_seconds();
    let seconds = u64::try_from(estimate).unwrap_or_default().clamp(1, MAX_RETRY_SECONDS);
    let headers = [(header::LOCATION, accepted.links.this.clone()), (header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::ACCEPTED, headers, Json(accepted)).into_response()
}

async fn wait_or_accept(
    state: &ApiState,
    principal: &Principal,
    accepted: &Accepted,
    limit: Duration,
) -> Result<Response, Problem> {
    let ended = until_terminal(state, principal.reader(), accepted.job_id, limit).await;
    let mut answer = match ended {
        Some(job) => {
            let location = [(header::LOCATION, accepted.links.this.clone())];
            (location, Json(present(state, job)?)).into_response()
        }
        None => accept(accepted),
    };
    if let Ok(applied) = HeaderValue::from_str(&format!("wait={}", limit.as_secs())) {
        answer.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(answer)
}
