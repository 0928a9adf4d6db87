//! From settings to the limits and rules of the API.

use std::time::Duration;

use ::api::{
    ActiveJobs, CorsPolicy, GatePolicy, MonthlyUnits, Networks, Plan, Plans, Rate, RequestKeys, TrustedProxies,
};
use anyhow::{Result, anyhow};
use settings::Settings;

/// What requests must pass.
///
/// # Errors
/// Settings that cannot be used.
pub fn gate_policy(settings: &Settings) -> Result<GatePolicy> {
    let named = |key: &'static str| move |reason: String| anyhow!("{key}: {reason}");
    let proxies = Networks::read(settings.api.trusted_proxies.split(',')).map_err(named("api.trusted_proxies"))?;
    Ok(GatePolicy {
        plans: plans(settings)?,
        proxies: TrustedProxies(proxies),
        cors: CorsPolicy::read(&settings.api.cors_origins).map_err(named("api.cors_origins"))?,
        request_keys: request_keys(settings)?,
        token_requests: token_requests(settings),
    })
}

/// Requests for tokens that one address may make.
fn token_requests(settings: &Settings) -> Option<Rate> {
    let auth = &settings.auth;
    let (quota, burst) = (auth.token_requests_per_minute, auth.token_requests_burst);
    (quota > 0).then_some(Rate { name: "minute", quota, window: Duration::from_secs(60), burst })
}

/// The keys that requests are signed with.
///
/// # Errors
/// A secret that is too short.
pub fn request_keys(settings: &Settings) -> Result<RequestKeys> {
    RequestKeys::new(&settings.auth.request_key_secret).map_err(|reason| anyhow!("auth.request_key_secret {reason}"))
}

/// What tenants may do, by plan.
///
/// # Errors
/// There is no plan `default`.
pub fn plans(settings: &Settings) -> Result<Plans> {
    let plans = settings.limits.plans.iter().map(|(name, plan)| (name.clone(), of(plan)));
    Plans::new(plans).map_err(|reason| anyhow!("limits.plans: {reason}"))
}

fn of(plan: &settings::Plan) -> Plan {
    Plan {
        requests_per_minute: plan.requests_per_minute,
        requests_per_hour: plan.requests_per_hour,
        burst: plan.burst,
        active_jobs: ActiveJobs {
            developer: plan.active_jobs_developer,
            team_lead: plan.active_jobs_team_lead,
            admin: plan.active_jobs_admin,
        },
        confirming_jobs: plan.confirming_jobs,
        compute_units: MonthlyUnits { package: plan.compute_units_package, ceiling: plan.compute_units_ceiling },
        fhe_units: MonthlyUnits { package: plan.fhe_units_package, ceiling: plan.fhe_units_ceiling },
    }
}
