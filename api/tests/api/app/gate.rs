//! Limits and rules: what the configuration would say, what a tenant's rows say, and a clock that goes when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{ActiveJobs, CorsPolicy, GatePolicy, Meters, MonthlyUnits, Plan, Plans, RequestKeys, TrustedProxies};
use jobs::TenantId;
use store::audit::{Draft, Note};
use store::limits::rules::{self, Change};

use super::TestApp;

/// What keys of signed requests are derived from.
pub const REQUEST_KEY_SECRET: &str = "a secret of thirty-two characters";

/// The clock of rates.
#[derive(Clone, Default)]
pub struct Hands(Arc<Mutex<Duration>>);

impl Hands {
    pub fn go(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub(super) fn meters(&self) -> Meters {
        let hands = self.clone();
        Meters::by(Arc::new(move || *hands.0.lock().unwrap()))
    }
}

/// Plan `development` has no limit; those of `default` are small.
pub fn policy() -> GatePolicy {
    let default = Plan {
        requests_per_minute: 60,
        requests_per_hour: 1000,
        burst: 4,
        active_jobs: ActiveJobs { developer: 3, team_lead: 5, admin: 0 },
        confirming_jobs: 4,
        compute_units: MonthlyUnits { package: 10, ceiling: 20 },
        fhe_units: MonthlyUnits { package: 1000, ceiling: 2000 },
    };
    // As `default`, for those who are asked more often.
    let fast = Plan { requests_per_minute: 0, requests_per_hour: 0, ..default };
    let plans = [("default", default), ("fast", fast), ("development", Plan::default())];
    GatePolicy {
        plans: Plans::new(plans.map(|(name, plan)| (name.to_owned(), plan))).unwrap(),
        proxies: TrustedProxies::default(),
        cors: CorsPolicy::default(),
        request_keys: RequestKeys::new(REQUEST_KEY_SECRET).unwrap(),
        token_requests: None,
    }
}

/// What the audit log is told of an operator's change.
pub fn by_operator(tenant: &TenantId) -> Note {
    Note::by_operator(tenant, "test", String::new(), serde_json::json!({}))
}

/// The same about whom the store finds.
pub fn draft_by_operator() -> Draft {
    Draft::by_operator("test", serde_json::json!({}))
}

impl TestApp {
    /// Changes the rules of tenant `acme`, and has the server see it.
    pub async fn rules(&self, change: Change) {
        let acme = "acme".parse().unwrap();
        assert!(rules::change(&self.pool, &acme, &change, &by_operator(&acme)).await.unwrap());
        self.gate.look(&self.pool).await;
    }

    pub async fn plan(&self, plan: &str) {
        self.rules(Change { plan: Some(plan.to_owned()), ..Change::default() }).await;
    }
}
