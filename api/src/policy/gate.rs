//! What every request with a valid credential passes before its handler sees it: its tenant's networks, the rates of its
//! tenant's plan, its tenant's signature. Authentication calls [`Gate::admit`], so that no route with a lock is without it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use jobs::ErrorCode;
use metrics::counter;
use store::PgPool;
use store::limits::nodes;
use store::limits::nonces::{self, Nonce};
use store::limits::rules::Signature;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::authentication::tenant_closed;
use super::client_address::{Peer, TrustedProxies};
use super::cors::CorsPolicy;
use super::limits::{self, Meters, Rate, Verdict, whole_seconds};
use super::plan::Plans;
use super::problem::Problem;
use super::request_signature::{self, Promised, RequestKeys};
use super::tenant_rules::{Origin, Rules, RulesBook};
use crate::ApiState;
use crate::token::Principal;

/// Between two looks at what other processes changed.
const LOOK: Duration = Duration::from_secs(1);
/// How long a node counts that tells nothing of itself. Longer than a look and the database's slowness, so that a node that
/// lives is not forgotten, and short, so that a dead one's share is soon the others'.
const ALIVE: Duration = Duration::from_secs(5);
/// The address of all whose own is not known.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// Refused logins of one tenant that this process notes in its audit log: anybody who knows a client's name makes some.
const NOTED_REFUSALS: Rate = Rate { name: "minute", quota: 60, window: Duration::from_secs(60), burst: 60 };
/// Who has the rates of a tenant.
const OF_A_TENANT: &str = "The tenant's plan has";
/// Nonces that are forgotten at a look.
const FORGOTTEN: i64 = 1000;

/// The policies, as the configuration sets them.
pub struct GatePolicy {
    pub plans: Plans,
    pub proxies: TrustedProxies,
    pub cors: CorsPolicy,
    pub request_keys: RequestKeys,
    /// Requests for tokens, and about them, that one client address may make; `None`: any number.
    pub token_requests: Option<Rate>,
}

/// One for the whole server.
pub struct Gate {
    node: Uuid,
    rules: RulesBook,
    meters: Meters,
    refusals: Meters,
    proxies: TrustedProxies,
    cors: CorsPolicy,
    request_keys: RequestKeys,
    token_requests: Option<Rate>,
}

/// What is found out about a request on its way in, for what is done on the way out; a request extension.
#[derive(Clone, Debug, Default)]
struct Passage {
    verdict: Arc<OnceLock<Verdict>>,
    promised: Promised,
}

impl Gate {
    #[must_use]
    pub fn new(policy: GatePolicy, meters: Meters) -> Self {
        let GatePolicy { plans, proxies, cors, request_keys, token_requests } = policy;
        Self {
            node: Uuid::new_v4(),
            rules: RulesBook::new(plans),
            refusals: meters.beside(),
            meters,
            proxies,
            cors,
            request_keys,
            token_requests,
        }
    }

    pub(super) fn cors(&self) -> &CorsPolicy {
        &self.cors
    }

    /// Whether nobody on the way can read the answer to a request.
    pub(super) fn is_secure(&self, request: &Request) -> bool {
        let peer = request.extensions().get::<Peer>();
        peer.is_some_and(|peer| self.proxies.is_secure(peer, request.headers()))
    }

    /// Where a request comes from, as far as that is known.
    pub(super) fn client_of(&self, request: &Request) -> Option<IpAddr> {
        request.extensions().get::<Peer>().and_then(|peer| self.proxies.client(peer, request.headers()))
    }

    /// Lets a request in, or says why not. The rules of its tenant are an extension of it from then on; one that has them
    /// has passed already.
    ///
    /// # Errors
    /// INVALID_TOKEN of a closed tenant, ADDRESS_NOT_ALLOWED, RATE_LIMIT_EXCEEDED, REQUEST_SIGNATURE_INVALID, NONCE_REPLAYED; SERVICE_UNAVAILABLE when the
    /// rules are not known.
    pub async fn admit(&self, pool: &PgPool, parts: &mut Parts, principal: &Principal) -> Result<(), Problem> {
        if parts.extensions.get::<Arc<Rules>>().is_some() {
            return Ok(());
        }
        let rules = self.rules.of(pool, &principal.tenant).await?;
        let passed = self.pass(pool, parts, principal, &rules).await;
        match &passed {
            Ok(()) => _ = parts.extensions.insert(rules),
            Err(problem) => counter!("zama_policy_refusals_total", "code" => problem.code().as_str()).increment(1),
        }
        passed
    }

    async fn pass(&self, pool: &PgPool, parts: &Parts, principal: &Principal, rules: &Rules) -> Result<(), Problem> {
        if rules.is_closed {
            return Err(tenant_closed());
        }
        self.comes_from(parts, rules)?;
        let passage = parts.extensions.get::<Passage>().cloned().unwrap_or_default();
        if let Some(verdict) = self.meters.take(&principal.tenant, &rules.plan) {
            let refusal = too_many(&verdict, OF_A_TENANT);
            // A passage has one verdict: a request is metered once.
            let _ = passage.verdict.set(verdict);
            refusal.map_or(Ok(()), Err)?;
        }
        if rules.signature == Signature::Required || request_signature::is_signed(&parts.headers) {
            let tenant = &principal.tenant;
            let signed = request_signature::check(parts, tenant, &self.request_keys, &rules.keys, Utc::now())?;
            if nonces::spend(pool, tenant, signed.nonce, signed.until).await? == Nonce::Used {
                return Err(request_signature::replayed());
            }
            if !passage.promised.is(signed.body) {
                return Err(request_signature::other_body());
            }
        }
        Ok(())
    }

    /// Lets a request for a token, or about one, in, which is nobody's yet, or says when to come again.
    fn admit_token_request(&self, parts: &Parts) -> Result<(), Problem> {
        let Some(rate) = self.token_requests else { return Ok(()) };
        let verdict = self.meters.take_of_address(self.client(parts).unwrap_or(NOBODY), rate);
        let refusal = too_many(&verdict, "An address has");
        if let Some(passage) = parts.extensions.get::<Passage>() {
            let _ = passage.verdict.set(verdict);
        }
        let Some(problem) = refusal else { return Ok(()) };
        counter!("zama_policy_refusals_total", "code" => problem.code().as_str()).increment(1);
        Err(problem)
    }

    /// Whether one more refused login of a tenant is noted in its audit log.
    pub(super) fn notes_refusal(&self, tenant: &jobs::TenantId) -> bool {
        self.refusals.take_of_tenant(tenant, NOTED_REFUSALS).wait.is_none()
    }

    /// Where a request comes from, where that is known.
    pub(super) fn client(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<Peer>()?;
        self.proxies.client(peer, &parts.headers)
    }

    fn comes_from(&self, parts: &Parts, rules: &Rules) -> Result<(), Problem> {
        let Origin::From(networks) = &rules.origin else { return Ok(()) };
        let detail = match self.client(parts) {
            Some(client) if networks.contain(client) => return Ok(()),
            Some(client) => return Err(from_elsewhere(client)),
            None => "It is not known where the request comes from.",
        };
        Err(Problem::new(ErrorCode::AddressNotAllowed, detail))
    }

    /// Looks at the other nodes and the rules until `stop`, and then leaves its share to the others.
    pub async fn watch(&self, pool: PgPool, stop: CancellationToken) {
        loop {
            self.look(&pool).await;
            if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                break;
            }
        }
        if let Err(error) = nodes::leave(&pool, self.node).await {
            tracing::debug!(%error, "the others will miss this node by themselves");
        }
    }

    /// One look. What the database does not tell stays as it was.
    pub async fn look(&self, pool: &PgPool) {
        let looked = async {
            self.meters.shared_by(nodes::beat(pool, self.node, ALIVE).await?);
            self.rules.refresh(pool).await?;
            nonces::forget(pool, FORGOTTEN).await
        };
        if let Err(error) = looked.await {
            tracing::debug!(%error, "limits and rules stay as they were known");
        }
        self.meters.forget_the_full();
        self.refusals.forget_the_full();
    }
}

/// A request for a token, or about one, that its client's address may make now. Who guesses at secrets is slowed down
/// here.
pub struct TokenRequest;

impl FromRequestParts<Arc<ApiState>> for TokenRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        state.gate.admit_token_request(parts).map(|()| Self)
    }
}

fn from_elsewhere(client: IpAddr) -> Problem {
    let detail = format!("The request comes from {client}, which is in none of the tenant's networks.");
    Problem::new(ErrorCode::AddressNotAllowed, detail)
}

fn too_many(verdict: &Verdict, who_has: &str) -> Option<Problem> {
    let wait = verdict.wait?;
    let used_up = verdict.seen.iter().find(|seen| seen.left == 0);
    let detail = used_up.map_or_else(String::new, |seen| {
        let rate = &seen.share.rate;
        format!("{who_has} {} requests a {}, {} at once.", rate.quota, rate.name, rate.burst)
    });
    let seconds = whole_seconds(wait).max(1);
    Some(Problem::new(ErrorCode::RateLimitExceeded, detail).with_retry_after(seconds))
}

/// Around every request: tells in its answer what is left of the rates, and refuses a body that is not the signed one.
pub async fn attend(mut request: Request, next: Next) -> Response {
    let passage = Passage::default();
    request.extensions_mut().insert(passage.clone());
    let request = request.map(|body| passage.promised.watch(body));
    let mut response = next.run(request).await;
    if passage.promised.is_broken() {
        response = request_signature::other_body().into_response();
    }
    if let Some(verdict) = passage.verdict.get() {
        limits::write(verdict, Utc::now(), response.headers_mut());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::limits::Seen;
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        from_elsewhere(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5))).is_the_example_of_its_page();
    }

    /// The 21st request at once of a plan with 100 a minute.
    #[test]
    fn the_page_shows_what_is_said_of_rates() {
        let minute = Rate { name: "minute", quota: 100, window: Duration::from_secs(60), burst: 20 };
        let hour = Rate { name: "hour", quota: 10_000, window: Duration::from_secs(3600), burst: 10_000 };
        let seen = vec![
            Seen { share: minute.share(1), left: 0, full_in: Duration::from_secs(12) },
            Seen { share: hour.share(1), left: 9_961, full_in: Duration::from_millis(14_040) },
        ];
        let verdict = Verdict { wait: Some(Duration::from_millis(600)), seen };
        let problem = too_many(&verdict, OF_A_TENANT).expect("it waits");
        problem.is_the_example_of_its_page();
        let mut headers = axum::http::HeaderMap::new();
        let then = "2026-03-14T09:26:53.589Z".parse().expect("a time");
        limits::write(&verdict, then, &mut headers);
        let page = include_str!("../../../docs/errors/RATE_LIMIT_EXCEEDED.md").to_lowercase();
        for (name, value) in &headers {
            let line = format!("\n{name}: {}\n", value.to_str().expect("text"));
            assert!(page.contains(&line), "the page has no {line}");
        }
    }
}
