//! The endpoints: a folder a resource, a file an endpoint.

pub mod api_keys;
pub mod audit;
pub mod billing;
pub mod blobs;
pub mod credits;
pub mod docs;
pub mod errors;
pub mod fallback;
pub mod fhe_keys;
pub mod health;
pub mod invoices;
pub mod jobs;
pub mod limits;
pub mod livez;
pub mod me;
pub mod metrics;
pub mod notifications;
pub mod oauth;
pub mod openapi;
pub mod readyz;
pub mod submitter;
pub mod tenants;
pub mod usage;
pub mod users;
pub mod v2;
