//! GET /v1/notifications

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::notifications::{self, Notification as Stored};
use utoipa::{IntoParams, ToSchema};

use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;

errors!(Errors: Token, InvalidRequest);

/// A page of notifications.
#[derive(Serialize, ToSchema)]
pub struct NotificationPage {
    /// The newest first.
    pub data: Vec<Notification>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// Something that a tenant is told.
#[derive(Serialize, ToSchema)]
pub struct Notification {
    #[schema(example = "17")]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: NotificationType,
    pub created_at: DateTime<Utc>,
    pub data: QuotaReached,
}

/// The kinds of notification.
#[derive(Serialize, ToSchema)]
pub enum NotificationType {
    /// A part of a quota of the month is used and reserved.
    #[serde(rename = "quota.reached")]
    QuotaReached,
}

/// Of which quota which part; each is told once a month.
#[derive(Serialize, ToSchema)]
pub struct QuotaReached {
    /// The month (UTC).
    #[schema(example = "2026-03")]
    pub month: String,
    #[schema(example = "compute_units")]
    pub metric: String,
    /// `package`: beyond it accepted jobs warn. `ceiling`: beyond it no job is accepted.
    #[schema(example = "package")]
    pub quota: String,
    /// 80 or 100.
    #[schema(example = 80)]
    pub percent: i32,
    /// Units of the whole quota.
    #[schema(example = 10000)]
    pub quota_units: i64,
    /// Units that were used and reserved then.
    #[schema(example = 8012)]
    pub held_units: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// `next_cursor` of the page before.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many notifications.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// List notifications
///
/// What the tenant was told, the newest first: that 80 % or all of a package or a ceiling of the month's units is used and
/// reserved.
#[utoipa::path(
    get, path = "/v1/notifications", operation_id = "list_notifications", tag = "billing", params(Query),
    security(("bearer" = ["jobs:read"])),
    responses(
        (status = 200, description = "A page of notifications.", body = NotificationPage,
         example = json!({
             "data": [{
                 "id": "17", "type": "quota.reached", "created_at": "2026-03-14T09:26:53.589Z",
                 "data": {
                     "month": "2026-03", "metric": "compute_units", "quota": "package", "percent": 80,
                     "quota_units": 10_000, "held_units": 8012
                 }
             }],
             "next_cursor": null, "has_more": false
         })),
        Errors
    )
)]
pub async fn notifications(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<NotificationPage>, Problem> {
    principal.require(Scope::JobsRead)?;
    let binding = Binding::of("notifications", &principal.tenant);
    let after = query.take("cursor", |text| binding.read::<After>(text));
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let before = after.map(|After(id)| id);
    let mut found = notifications::list(&state.pool, &principal.tenant, before, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let next_cursor = found.last().filter(|_| has_more).map(|last| binding.cursor(&After(last.id)));
    Ok(Json(NotificationPage { data: found.into_iter().map(Notification::from).collect(), next_cursor, has_more }))
}

/// The notification that a page ended with.
struct After(i64);

impl Place for After {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i64::from_be_bytes).map(Self)
    }
}

impl From<Stored> for Notification {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id.to_string(),
            kind: NotificationType::QuotaReached,
            created_at: stored.created_at,
            data: QuotaReached {
                month: stored.month.format("%Y-%m").to_string(),
                metric: stored.metric,
                quota: stored.quota,
                percent: stored.percent,
                quota_units: stored.quota_units,
                held_units: stored.held_units,
            },
        }
    }
}
