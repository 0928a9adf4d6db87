//! The caller's tenant as it sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use store::limits::rules::CreditRule;
use store::tenants::FailedJobs;
use utoipa::ToSchema;

/// A tenant.
#[derive(Serialize, ToSchema)]
pub struct Tenant {
    #[schema(example = "acme")]
    pub id: String,
    /// What the tenant may use, and what it costs; operators change it.
    #[schema(example = "default")]
    pub plan: String,
    /// Whether it is a sandbox: what test keys see.
    pub test_mode: bool,
    pub created_at: DateTime<Utc>,
    pub settings: TenantSettings,
}

/// What the tenant's admins decide.
#[derive(Serialize, ToSchema)]
pub struct TenantSettings {
    /// Whether jobs that fail are confirmed on chain too, as failed. Counts for those that fail from then on.
    pub confirm_failed: bool,
    /// Whether nothing is accepted beyond what was paid before (`/v1/credits`).
    pub requires_credits: bool,
}

impl From<store::tenants::Tenant> for Tenant {
    fn from(tenant: store::tenants::Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            plan: tenant.plan,
            test_mode: tenant.is_sandbox,
            created_at: tenant.created_at,
            settings: TenantSettings {
                confirm_failed: tenant.failed_jobs == FailedJobs::Confirmed,
                requires_credits: tenant.credits != CreditRule::Optional,
            },
        }
    }
}

pub fn example() -> Value {
    json!({
        "id": "acme", "plan": "default", "test_mode": false, "created_at": "2026-03-14T09:26:53.589Z",
        "settings": {"confirm_failed": false, "requires_credits": false}
    })
}
