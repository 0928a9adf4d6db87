//! One log event and two metrics a request. Bodies, queries and tokens are never recorded.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use jobs::TenantId;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::request_id::RequestId;
use crate::token::{Credential, Principal};

const REQUESTS: &str = "zama_http_requests_total";
const DURATION: &str = "zama_http_request_duration_seconds";
/// Counts notices of the billing system about what somebody must look at.
pub(crate) const BILLING_TROUBLE: &str = "zama_billing_trouble_total";

/// Upper bounds of the latency histogram, in seconds: dense where the objectives lie (0.1, 0.3, 0.5).
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 5.0, 30.0];

/// What unmatched paths are called, so that a scanner cannot make endless series.
const NO_ROUTE: &str = "unmatched";

/// Where authentication notes who asks, for the log; a request extension.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    who: Arc<OnceLock<Who>>,
    /// Whether the gate let it in.
    admitted: Arc<OnceLock<()>>,
}

#[derive(Debug)]
struct Who {
    tenant: TenantId,
    user: String,
    /// Id of the API key, if it was one.
    api_key: Option<String>,
}

impl Caller {
    pub(super) fn is(&self, principal: &Principal) {
        let api_key = match &principal.credential {
            Credential::ApiKey { id, .. } => Some(id.to_string()),
            Credential::AccessToken | Credential::External(_) => None,
        };
        let who = Who { tenant: principal.tenant.clone(), user: principal.user.to_string(), api_key };
        // A second note would be of the same request's same token.
        let _ = self.who.set(who);
    }

    pub(super) fn is_let_in(&self) {
        // A second note would say the same.
        let _ = self.admitted.set(());
    }

    /// The tenant of a caller that was let in.
    pub(super) fn admitted(&self) -> Option<&TenantId> {
        self.admitted.get().and_then(|()| self.who.get()).map(|who| &who.tenant)
    }
}

/// The process's recorder of metrics; the first call installs it, and `None` means that another one is installed.
pub fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let matcher = metrics_exporter_prometheus::Matcher::Full(DURATION.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(matcher, &BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        metrics::describe_counter!(REQUESTS, "Answered requests by route, method and status");
        metrics::describe_counter!(BILLING_TROUBLE, "Notices about trouble in the billing system");
        // There from the beginning: an alarm on its rise would miss a first value of one.
        metrics::counter!(BILLING_TROUBLE).increment(0);
        metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from request to answer by route");
        Some(handle)
    };
    RECORDER.get_or_init(install).clone()
}

/// Records a request when it is answered.
pub async fn record(mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let id = request.extensions().get::<RequestId>().cloned();
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, |path| path.as_str()).to_owned();
    let method = known(request.method());

    let response = next.run(request).await;

    let status = response.status().as_u16();
    let elapsed = begin.elapsed();
    counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status.to_string()).increment(1);
    histogram!(DURATION, "route" => route.clone()).record(elapsed.as_secs_f64());
    let who = caller.who.get();
    tracing::info!(
        request.id = id.as_ref().map(RequestId::as_str),
        tenant.id = who.map(|who| who.tenant.as_str()),
        user.id = who.map(|who| who.user.as_str()),
        api_key.id = who.and_then(|who| who.api_key.as_deref()),
        http.method = method,
        http.route = route,
        http.status = status,
        duration_ms = elapsed.as_secs_f64() * 1e3,
        "{method} {route} answered {status}"
    );
    response
}

/// Methods are the client's to choose; labels are not.
fn known(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
