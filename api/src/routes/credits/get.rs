//! GET /v1/credits

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::credits::{accounts, top_ups};
use store::limits::rules::CreditRule;
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::tenant_rules::Rules;
use crate::token::{Principal, Scope};

errors!(Errors: Token);

/// What a tenant has paid before, and what is left of it. Amounts are in minor units, with taxes; null until the billing
/// system has told of the account, and of a sandbox.
#[derive(Serialize, ToSchema)]
pub struct Credits {
    pub rule: CreditsRule,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// When the billing system was asked last.
    pub as_of: Option<DateTime<Utc>>,
    /// Credits that count and that no invoice has drawn, as of then.
    pub balance_cents: Option<i64>,
    /// What the open month had used by then, as the billing system prices it; what it had taken and did not tell yet, at the
    /// plan's prices.
    pub usage_cents: Option<i64>,
    /// What the month before has used, until its final invoice has drawn it.
    pub owed_cents: Option<i64>,
    /// What was used since, at the plan's prices: the billing system does not know of it yet, or not as of then.
    pub unbilled_cents: Option<i64>,
    /// The most that jobs that have not ended can still use.
    pub reserved_cents: Option<i64>,
    /// The balance less all of these; below zero when more was used than paid for.
    pub available_cents: Option<i64>,
    /// Top-ups that do not count yet.
    #[schema(example = 0)]
    pub pending_cents: i64,
}

/// Whether nothing is accepted beyond what was paid before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CreditsRule {
    /// What is used is invoiced.
    Optional,
    /// The tenant's admins want it so.
    Required,
    /// The operator wants it so.
    Enforced,
}

impl From<CreditRule> for CreditsRule {
    fn from(rule: CreditRule) -> Self {
        match rule {
            CreditRule::Optional => Self::Optional,
            CreditRule::Required => Self::Required,
            CreditRule::Enforced => Self::Enforced,
        }
    }
}

/// Read the tenant's credits
///
/// What is left is counted here: the balance as the billing system told it last (`as_of`), less what it priced then, what
/// was used since and what open jobs may still use. So it is right while the billing system is away, but for top-ups that
/// were paid meanwhile.
#[utoipa::path(
    get, path = "/v1/credits", operation_id = "get_credits", tag = "billing",
    security(("bearer" = ["jobs:read:team"])),
    responses((status = 200, description = "The credits.", body = Credits, example = json!({
        "rule": "required", "currency": "EUR", "as_of": "2026-03-14T09:26:53.589Z", "balance_cents": 5000,
        "usage_cents": 812, "owed_cents": 0, "unbilled_cents": 3, "reserved_cents": 1, "available_cents": 4184,
        "pending_cents": 0
    })), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Extension(rules): Extension<Arc<Rules>>,
) -> Result<Json<Credits>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    let purse = accounts::purse(&state.pool, &principal.tenant).await?;
    let known = purse.zip(state.prices()).map(|(purse, prices)| (purse.left(prices), purse.told));
    let told = known.as_ref().map(|(_, told)| told);
    let left = known.as_ref().map(|(left, _)| left);
    Ok(Json(Credits {
        rule: rules.credits.into(),
        currency: told.map(|told| told.currency.clone()),
        as_of: told.map(|told| told.as_of),
        balance_cents: told.map(|told| told.balance_cents),
        usage_cents: told.map(|told| told.usage_cents),
        owed_cents: told.map(|told| told.owed_cents),
        unbilled_cents: left.map(|left| left.since_cents),
        reserved_cents: left.map(|left| left.reserved_cents),
        available_cents: left.map(|left| left.available_cents),
        pending_cents: top_ups::pending_cents(&state.pool, &principal.tenant).await?,
    }))
}
