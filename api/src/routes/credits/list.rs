//! GET /v1/credits/top-ups

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::DateTime;
use serde::Serialize;
use store::credits::top_ups;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::presentation::{TopUp, settled_example};
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;

errors!(Errors: Token, InvalidRequest);

/// A page of top-ups.
#[derive(Serialize, ToSchema)]
pub struct TopUpPage {
    /// The newest first.
    pub data: Vec<TopUp>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// `next_cursor` of the page before.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many top-ups.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// List top-ups
///
/// All that was ever asked for in the tenant's name, the newest first.
#[utoipa::path(
    get, path = "/v1/credits/top-ups", operation_id = "list_top_ups", tag = "billing", params(Query),
    security(("bearer" = ["jobs:read:team"])),
    responses(
        (status = 200, description = "A page of top-ups.", body = TopUpPage,
         example = json!({"data": [settled_example()], "next_cursor": null, "has_more": false})),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<TopUpPage>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    let binding = Binding::of("top-ups", &principal.tenant);
    let after = query.take("cursor", |text| binding.read::<top_ups::Place>(text));
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut found = top_ups::list(&state.pool, &principal.tenant, after, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let last = found.last().map(|last| top_ups::Place { created_at: last.created_at, id: last.id });
    let next_cursor = last.filter(|_| has_more).map(|last| binding.cursor(&last));
    let data = found.into_iter().map(|top_up| TopUp::of(&state, top_up)).collect();
    Ok(Json(TopUpPage { data, next_cursor, has_more }))
}

/// The time in microseconds, as exact as the database knows it, then the id.
impl Place for top_ups::Place {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.created_at.timestamp_micros().to_be_bytes()[..], self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        let created_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
        Some(Self { created_at, id: Uuid::from_slice(id).ok()? })
    }
}
