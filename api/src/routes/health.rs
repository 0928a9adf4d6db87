//! GET /v1/health

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::readyz::database_answers;
use crate::ApiState;
use crate::errors;

errors!(Errors: Public);

/// How the service is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    pub status: Overall,
    /// Version of the service.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    pub time: DateTime<Utc>,
    pub parts: Parts,
}

/// The state of the whole.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Everything works.
    Ok,
    /// Jobs are accepted, and some wait.
    Degraded,
    /// No jobs are accepted.
    Unavailable,
}

/// The state of each part.
#[derive(Serialize, ToSchema)]
pub struct Parts {
    pub database: Part,
    pub workflows: Part,
}

/// The state of one part.
#[derive(Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Ok,
    Unavailable,
}

impl Part {
    fn when(ok: bool) -> Self {
        if ok { Self::Ok } else { Self::Unavailable }
    }
}

/// How is the service
///
/// Always 200: the answer says how it is. Probes use `/readyz`, which fails when requests cannot be served.
#[utoipa::path(
    get, path = "/v1/health", tag = "operations",
    responses(
        (status = 200, description = "The parts and their state.", body = Health,
         example = json!({"status": "ok", "version": "0.1.0", "time": "2026-03-14T09:26:53.589Z",
                          "parts": {"database": "ok", "workflows": "ok"}})),
        Errors
    )
)]
pub async fn health(State(state): State<Arc<ApiState>>) -> Json<Health> {
    let database = Part::when(database_answers(&state).await);
    let workflows = Part::when(state.temporal_health.load(Ordering::Relaxed));
    let status = match (database, workflows) {
        (Part::Ok, Part::Ok) => Overall::Ok,
        (Part::Ok, Part::Unavailable) => Overall::Degraded,
        (Part::Unavailable, _) => Overall::Unavailable,
    };
    let time = Utc::now().trunc_subsecs(3);
    Json(Health { status, version: env!("CARGO_PKG_VERSION"), time, parts: Parts { database, workflows } })
}
