//! The rules of the tenants that were here lately: read when a tenant's first request comes, then kept fresh in the
//! background, so that a request waits for them once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jobs::TenantId;
use store::limits::rules::{self, CreditRule, OwnCeilings, Signature};
use store::{PgPool, StoreError};
use uuid::Uuid;

use super::client_address::Networks;
use super::plan::{DEFAULT, Plan, Plans};

/// How long rules are kept fresh after a tenant's last request.
const LATELY: Duration = Duration::from_secs(600);

/// What a tenant may do, and what it asks of its own requests.
#[derive(Clone, Debug)]
pub struct Rules {
    pub plan_name: String,
    pub plan: Arc<Plan>,
    /// Where requests may come from.
    pub origin: Origin,
    pub signature: Signature,
    /// Ids of the keys that its requests may be signed with.
    pub keys: Vec<Uuid>,
    pub ceilings: OwnCeilings,
    /// Whether credits must pay for its jobs.
    pub credits: CreditRule,
    /// Whether nobody acts in the tenant any more.
    pub is_closed: bool,
}

/// Where a tenant's requests may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Anywhere,
    From(Networks),
}

/// The rules of tenants.
pub struct RulesBook {
    plans: Plans,
    known: RwLock<HashMap<TenantId, Known>>,
}

struct Known {
    rules: Arc<Rules>,
    asked: Instant,
}

impl RulesBook {
    #[must_use]
    pub fn new(plans: Plans) -> Self {
        Self { plans, known: RwLock::default() }
    }

    /// A tenant's rules; one that nobody registered has the default plan and asks nothing.
    ///
    /// # Errors
    /// The tenant was not here lately, and the database is away: whether it lets its caller in is not known.
    pub async fn of(&self, pool: &PgPool, tenant: &TenantId) -> Result<Arc<Rules>, StoreError> {
        if let Some(known) = self.known.write().unwrap_or_else(PoisonError::into_inner).get_mut(tenant) {
            known.asked = Instant::now();
            return Ok(known.rules.clone());
        }
        let read = rules::of(pool, &[tenant.to_string()]).await?;
        let rules = Arc::new(self.rules(read.into_iter().next())?);
        let known = Known { rules: rules.clone(), asked: Instant::now() };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), known);
        Ok(rules)
    }

    /// Reads the rules of those who were here lately again, and forgets the others.
    ///
    /// # Errors
    /// The database is away: what is known stays.
    pub async fn refresh(&self, pool: &PgPool) -> Result<(), StoreError> {
        let tenants: Vec<String> = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, known| known.asked.elapsed() < LATELY);
            known.keys().map(ToString::to_string).collect()
        };
        if tenants.is_empty() {
            return Ok(());
        }
        let mut read: HashMap<TenantId, _> =
            rules::of(pool, &tenants).await?.into_iter().map(|rules| (rules.tenant.clone(), rules)).collect();
        for tenant in tenants {
            let Ok(tenant) = tenant.parse::<TenantId>() else { continue };
            let rules = Arc::new(self.rules(read.remove(&tenant))?);
            if let Some(known) = self.known.write().unwrap_or_else(PoisonError::into_inner).get_mut(&tenant) {
                known.rules = rules;
            }
        }
        Ok(())
    }

    fn rules(&self, stored: Option<rules::TenantRules>) -> Result<Rules, StoreError> {
        let Some(stored) = stored else {
            return Ok(Rules {
                plan_name: DEFAULT.to_owned(),
                plan: self.plans.of(DEFAULT),
                origin: Origin::Anywhere,
                signature: Signature::Optional,
                keys: Vec::new(),
                ceilings: OwnCeilings::default(),
                credits: CreditRule::Optional,
                is_closed: false,
            });
        };
        let networks = Networks::read(stored.allowed_networks.iter().map(String::as_str))
            .map_err(|value| StoreError::Corrupt { what: "network", value })?;
        Ok(Rules {
            plan: self.plans.of(&stored.plan),
            plan_name: stored.plan,
            origin: if stored.allowed_networks.is_empty() { Origin::Anywhere } else { Origin::From(networks) },
            signature: stored.signature,
            keys: stored.keys,
            ceilings: stored.ceilings,
            credits: stored.credits,
            is_closed: stored.is_closed,
        })
    }
}
