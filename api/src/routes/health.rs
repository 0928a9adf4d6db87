//! GET /v1/health

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::health::{self, Part, PartName, PartStatus};

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
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Everything works.
    Ok,
    /// Jobs are accepted, and some may wait.
    Degraded,
    /// No jobs are accepted.
    Unavailable,
}

/// The state of each part.
#[derive(Serialize, ToSchema)]
pub struct Parts {
    pub database: Part,
    /// Temporal.
    pub workflows: Part,
    /// Whether a worker serves queue `jobs`: workflows, confirmation, metering.
    pub worker_jobs: Part,
    /// Whether a worker serves queue `compute`.
    pub worker_compute: Part,
    /// Whether a worker serves queue `fhe`; off where there is no key manager.
    pub worker_fhe: Part,
    /// The EVM node and the registry.
    pub chain: Part,
    /// The billing system; off where none is set.
    pub billing: Part,
    /// The key manager; off where none is set.
    pub key_manager: Part,
}

impl Parts {
    fn of(health: &health::Health) -> Self {
        Self {
            database: health.part(PartName::Database),
            workflows: health.part(PartName::Workflows),
            worker_jobs: health.part(PartName::WorkerJobs),
            worker_compute: health.part(PartName::WorkerCompute),
            worker_fhe: health.part(PartName::WorkerFhe),
            chain: health.part(PartName::Chain),
            billing: health.part(PartName::Billing),
            key_manager: health.part(PartName::KeyManager),
        }
    }

    fn overall(&self) -> Overall {
        let others = [
            &self.workflows,
            &self.worker_jobs,
            &self.worker_compute,
            &self.worker_fhe,
            &self.chain,
            &self.billing,
            &self.key_manager,
        ];
        match self.database.status {
            PartStatus::Unavailable => Overall::Unavailable,
            PartStatus::Ok if others.iter().all(|part| matches!(part.status, PartStatus::Ok | PartStatus::Off)) => {
                Overall::Ok
            }
            _ => Overall::Degraded,
        }
    }
}

/// How is the service
///
/// Always 200: the answer says how it is, as it was seen within the last seconds. A worker that ends is missed after a
/// minute and a half. Probes use `/readyz`, which fails when requests cannot be served.
#[utoipa::path(
    get, path = "/v1/health", tag = "operations",
    responses((status = 200, description = "The parts and their state.", body = Health, example = json!(example())), Errors)
)]
pub async fn health(State(state): State<Arc<ApiState>>) -> Json<Health> {
    let parts = Parts::of(&state.health);
    let (status, time) = (parts.overall(), Utc::now().trunc_subsecs(3));
    Json(Health { status, version: env!("CARGO_PKG_VERSION"), time, parts })
}

fn example() -> Value {
    let ok = json!({"status": "ok", "since": "2026-03-14T08:00:01.004Z", "detail": null});
    let off = json!({"status": "off", "since": "2026-03-14T08:00:00.731Z", "detail": null});
    let away = json!({
        "status": "unavailable", "since": "2026-03-14T09:26:41.310Z", "detail": "The EVM node does not answer."
    });
    json!({
        "status": "degraded", "version": "0.1.0", "time": "2026-03-14T09:26:53.589Z",
        "parts": {
            "database": ok, "workflows": ok, "worker_jobs": ok, "worker_compute": ok, "worker_fhe": off, "chain": away,
            "billing": ok, "key_manager": off
        }
    })
}
