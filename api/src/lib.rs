//! The REST server: routes by resource, policies that hold for all of them, tokens, and the dispatcher that starts
//! what was accepted.

pub mod billing_system;
mod call_meter;
pub mod dispatcher;
pub mod health;
mod housekeeping;
pub mod key_manager;
mod network_key;
mod notices;
mod openapi;
pub mod policy;
mod router;
mod routes;
mod server;
mod state;
pub mod token;

pub use call_meter::CallMeter;
pub use housekeeping::{chain_audit, sweep_uploads};
pub use network_key::NetworkKeys;
pub use notices::Notices;
pub use openapi::{openapi, openapi_yaml};
pub use policy::api_keys::MAX_API_KEYS;
pub use policy::client_address::{Networks, TrustedProxies};
pub use policy::cors::CorsPolicy;
pub use policy::gate::{Gate, GatePolicy};
pub use policy::limits::{Meters, Rate};
pub use policy::observation::recorder;
pub use policy::plan::{ActiveJobs, MonthlyUnits, Plan, Plans};
pub use policy::request_signature::RequestKeys;
pub use policy::retirement::{Retirement, Retirements};
pub use policy::storage::Storage;
pub use policy::turns::Turns;
pub use policy::unseen::UNSEEN;
pub use router::router;
pub use routes::oauth::public_keys;
pub use server::{CertificateFiles, Door, Tls, TlsError, serve};
pub use state::ApiState;
