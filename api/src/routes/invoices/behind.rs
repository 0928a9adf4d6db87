//! GET /v1/invoices/{id}/lines/{code}

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use jobs::usage::{Metric, Quantity};
use jobs::{ErrorCode, JobId};
use serde::Serialize;
use store::usage::periods::{self, Behind as Part, Span};
use utoipa::{IntoParams, ToSchema};

use super::{own, texts};
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place, text_of};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PARTS: i64 = 1000;
const DEFAULT_PARTS: i64 = 100;

errors!(Errors: Token, NotFound, InvalidRequest);

/// What a line's units come from.
#[derive(Serialize, ToSchema)]
#[schema(as = LineParts)]
pub struct Parts {
    #[schema(example = "compute_units")]
    pub metric: String,
    pub data: Vec<PartOfLine>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// A job's part of a line, or that of a row without a job.
#[derive(Serialize, ToSchema)]
#[schema(as = LinePart)]
pub struct PartOfLine {
    /// Null where the units belong to no job.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub job_id: Option<JobId>,
    /// The row of the ledger, where there is no job.
    pub row_id: Option<String>,
    #[schema(value_type = f64)]
    pub units: Quantity,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// `next_cursor` of the page before, of the same line.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many parts.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// Read what stands behind a line of an invoice
///
/// The jobs whose usage the line bills, and their units; what belongs to no job (storage, calls) by its rows. Their sum is
/// the line's units; of an invoice of several periods, that of all its lines of the metric. Nothing of ours stands behind an
/// invoice without periods of the tenant's own subscription. Rows of the invoice's time whose delivery is in doubt, or that
/// the billing system refused, are no part of it. Those that came too late for it are told of until they are booked anew, in
/// the open period; until then the sum is more than the line.
#[utoipa::path(
    get, path = "/v1/invoices/{id}/lines/{code}", operation_id = "get_invoice_line", tag = "billing",
    params(
        ("id" = uuid::Uuid, Path, description = "The invoice.", example = "1a901a90-1a90-4a90-9a90-1a901a901a90"),
        ("code" = inline(Metric), Path, description = "The line's metric.", example = "compute_units"),
        Query
    ),
    security(("bearer" = ["jobs:read:team"])),
    responses((status = 200, description = "A page of parts.", body = Parts,
               example = json!({
                   "metric": "compute_units",
                   "data": [{"job_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07", "row_id": null, "units": 2}],
                   "next_cursor": null, "has_more": false
               })), Errors)
)]
pub async fn behind(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    path: Result<Path<(String, String)>, PathRejection>,
    mut query: Parameters,
) -> Result<Json<Parts>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    let (id, code) = texts(path)?;
    let binding = Binding::of("invoice_line", (&principal.tenant, &id, &code));
    let after = query.take("cursor", |text| binding.read::<AfterPart>(text));
    let limit = query.take_integer("limit", 1..=MAX_PARTS, DEFAULT_PARTS);
    query.close()?;
    let invoice = own(&state, &principal.tenant, &id).await?;
    let missing = || Problem::new(ErrorCode::NotFound, "The invoice has no such line of usage.");
    let metric: Metric = code.parse().map_err(|_| missing())?;
    if !invoice.lines.iter().any(|line| line.is_usage && line.code == code) {
        return Err(missing());
    }
    let spans: Vec<Span> = invoice.periods.iter().map(|(from, until)| Span { from: *from, until: *until }).collect();
    let after = after.as_ref().map(|place| place.0.as_str());
    let (tenant, name) = (principal.tenant.as_str(), metric.as_str());
    let mut found = periods::behind(&state.pool, tenant, name, &spans, after, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|(place, _)| binding.cursor(&AfterPart(place.clone())));
    let data = found.into_iter().map(|(_, part)| PartOfLine::of(metric, part)).collect();
    Ok(Json(Parts { metric: code, data, next_cursor, has_more }))
}

/// The job or row that a page ended with.
struct AfterPart(String);

impl Place for AfterPart {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        text_of(bytes).map(Self)
    }
}

impl PartOfLine {
    fn of(metric: Metric, part: Part) -> Self {
        Self { job_id: part.job_id, row_id: part.row_id, units: metric.quantity(part.units) }
    }
}
