//! GET /v1/limits

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use jobs::usage::Metric;
use serde::Serialize;
use store::notifications::{self, Notification};
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::policy::plan::MonthlyUnits;
use crate::policy::problem::Problem;
use crate::policy::tenant_rules::Rules;
use crate::token::Principal;

errors!(Errors: AnyToken);

/// What the caller may do, and what is taken of it. A limit that is null is none.
#[derive(Serialize, ToSchema)]
pub struct Limits {
    #[schema(example = "default")]
    pub plan: String,
    /// Rates of the tenant's requests.
    pub requests: Vec<RequestRate>,
    /// Jobs of the caller that are PENDING or PROCESSING.
    pub active_jobs: ActiveJobs,
    /// Jobs of the tenant that may be CONFIRMING.
    pub confirming_jobs: Option<u32>,
    /// Compute units of the tenant in this month (UTC).
    pub compute_units: MonthOfUnits,
    /// FHE units of the tenant in this month (UTC).
    pub fhe_compute_units: MonthOfUnits,
    /// Whether nothing is accepted beyond what the tenant has paid before (`/v1/credits`).
    pub requires_credits: bool,
}

/// A rate of requests. What is left of it stands in `RateLimit`.
#[derive(Serialize, ToSchema)]
pub struct RequestRate {
    /// As in `RateLimit-Policy`.
    #[schema(example = "minute")]
    pub name: String,
    pub requests: u32,
    pub window_seconds: u64,
    /// Requests at once.
    pub burst: u32,
}

/// Jobs at once.
#[derive(Serialize, ToSchema)]
#[schema(as = ActiveJobsLimit)]
pub struct ActiveJobs {
    /// By the caller's role.
    pub limit: Option<u32>,
    /// Those that count now; null where there is no limit.
    pub active: Option<u32>,
}

/// Units of a month.
#[derive(Serialize, ToSchema)]
pub struct MonthOfUnits {
    /// Used and reserved; null where there is no ceiling.
    pub held: Option<u64>,
    /// From it on accepted jobs warn (`X-Quota-Warning`).
    pub package: Option<u64>,
    /// Beyond it no job is accepted.
    pub ceiling: Option<u64>,
    /// What the tenant was told of (`/v1/notifications`), in that order.
    pub reached: Vec<Reached>,
}

/// A part of a quota that is used and reserved, or was in this month.
#[derive(Serialize, ToSchema)]
#[schema(as = QuotaPart)]
pub struct Reached {
    /// `package` or `ceiling`.
    #[schema(example = "package")]
    pub quota: String,
    /// 80 or 100.
    #[schema(example = 80)]
    pub percent: i32,
    pub at: DateTime<Utc>,
}

/// What may I do
///
/// The limits of the tenant's plan and the caller's role, and what is taken of them. Any valid token may ask.
#[utoipa::path(
    get, path = "/v1/limits", operation_id = "get_limits", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, description = "The limits.", body = Limits,
         example = json!({
             "plan": "default",
             "requests": [
                 {"name": "minute", "requests": 100, "window_seconds": 60, "burst": 20},
                 {"name": "hour", "requests": 10_000, "window_seconds": 3600, "burst": 10_000}
             ],
             "active_jobs": {"limit": 50, "active": 3},
             "confirming_jobs": 10_000,
             "compute_units": {
                 "held": 8200, "package": 10_000, "ceiling": 100_000,
                 "reached": [{"quota": "package", "percent": 80, "at": "2026-03-14T09:26:53.589Z"}]
             },
             "fhe_compute_units": {"held": 0, "package": 1000, "ceiling": 10_000, "reached": []},
             "requires_credits": false
         })),
        Errors
    )
)]
pub async fn limits(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Extension(rules): Extension<Arc<Rules>>,
) -> Result<Json<Limits>, Problem> {
    let of_admission = rules.plan.admission(principal.role, rules.ceilings);
    let active = match of_admission.active_jobs {
        Some(_) => Some(store::limits::active(&state.pool, &principal.tenant, &principal.user).await?),
        None => None,
    };
    let (now, tenant) = (Utc::now(), &principal.tenant);
    let (held, told) = match of_admission.units {
        Some(_) => (
            Some(store::limits::held(&state.pool, tenant, now).await?),
            notifications::of_month(&state.pool, tenant, store::limits::month_of(now)).await?,
        ),
        None => (None, Vec::new()),
    };
    let ceilings = of_admission.units;
    let month = |metric: Metric, units: MonthlyUnits, ceiling: Option<u64>, held: Option<u64>| MonthOfUnits {
        held,
        package: (units.package > 0).then_some(units.package),
        ceiling: ceiling.filter(|ceiling| *ceiling < u64::MAX),
        reached: told.iter().filter(|told| told.metric == metric.as_str()).map(Reached::from).collect(),
    };
    let requests = rules.plan.rates().map(|rate| RequestRate {
        name: rate.name.to_owned(),
        requests: rate.quota,
        window_seconds: rate.window.as_secs(),
        burst: rate.burst,
    });
    Ok(Json(Limits {
        plan: rules.plan_name.clone(),
        requests: requests.collect(),
        active_jobs: ActiveJobs { limit: of_admission.active_jobs, active },
        confirming_jobs: of_admission.confirming_jobs,
        compute_units: month(
            Metric::ComputeUnits,
            rules.plan.compute_units,
            ceilings.map(|ceilings| ceilings.compute),
            held.map(|held| held.compute),
        ),
        fhe_compute_units: month(
            Metric::FheComputeUnits,
            rules.plan.fhe_units,
            ceilings.map(|ceilings| ceilings.fhe),
            held.map(|held| held.fhe),
        ),
        requires_credits: rules.credits.is_in_force(),
    }))
}

impl From<&Notification> for Reached {
    fn from(told: &Notification) -> Self {
        Self { quota: told.quota.clone(), percent: told.percent, at: told.created_at }
    }
}
