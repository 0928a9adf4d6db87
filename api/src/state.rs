//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use blobs::BlobStore;
use jobs::credits::PriceList;
use jobs::{ErrorCode, JobId, wire};
use metrics_exporter_prometheus::PrometheusHandle;
use retrieval::Domain;

use crate::call_meter::CallMeter;
use crate::dispatcher;
use crate::health::Health;
use crate::network_key::NetworkKeys;
use crate::notices::Notices;
use crate::policy::gate::Gate;
use crate::policy::retirement::Retirements;
use crate::policy::storage::Storage;
use crate::policy::turns::Turns;
use crate::token::Authority;
use crate::token::external::ExternalIssuers;

/// One for the whole server.
pub struct ApiState {
    pub pool: store::PgPool,
    pub dispatcher: dispatcher::Handle,
    pub blobs: BlobStore,
    /// What tenants may store.
    pub storage: Storage,
    /// Of those who read much of the usage ledger.
    pub ledger_turns: Turns,
    /// The key manager's, if there is one.
    pub network_keys: Option<NetworkKeys>,
    /// Registry and chain that retrievals are signed for.
    pub domain: Domain,
    /// Makes and checks access tokens; whoever builds the server has it watch the database.
    pub tokens: Arc<Authority>,
    /// Other issuers whose tokens are accepted; whoever builds the server has it watch their keys.
    pub external: Arc<ExternalIssuers>,
    /// Limits and rules that requests must pass; whoever builds the server has it watch.
    pub gate: Arc<Gate>,
    /// Versions and operations that are about to go.
    pub retirements: Retirements,
    /// The billing system and what it tells, if there is one.
    pub notices: Option<Notices>,
    /// Counts calls; whoever builds the server has it tell the database.
    pub calls: Arc<CallMeter>,
    /// Origin under which clients reach the API, without a slash at its end.
    pub public_url: String,
    /// Largest JSON body, in bytes.
    pub max_body_bytes: usize,
    /// Time within which a request is answered; a `Prefer: wait` adds its own.
    pub request_timeout: Duration,
    /// How long it takes at least to find that the chain or the billing system has nothing for a caller:
    /// [`crate::UNSEEN`], unless a test cannot wait.
    pub unseen: Duration,
    /// How the parts are; whoever builds the server has them watched.
    pub health: Arc<Health>,
    /// Renders `/metrics`; without one the page is empty. See [`crate::recorder`].
    pub prometheus: Option<PrometheusHandle>,
}

impl ApiState {
    /// URL of the page about a code.
    pub(crate) fn problem_type(&self, code: ErrorCode) -> String {
        format!("{}/docs/errors/{code}", self.public_url)
    }

    /// What units cost, if anything is billed.
    pub(crate) fn prices(&self) -> Option<&dyn PriceList> {
        self.notices.as_ref().map(|notices| notices.billing.prices())
    }

    /// Where the parts of a job are found.
    pub(crate) fn links(&self, job: JobId) -> wire::Links {
        let this = format!("{}/v1/jobs/{job}", self.public_url);
        wire::Links {
            events: format!("{this}/events"),
            result: format!("{this}/result"),
            receipt: format!("{this}/receipt"),
            cancel: format!("{this}/cancel"),
            this,
        }
    }
}
