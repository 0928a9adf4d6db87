//! The endpoints: a folder a resource, a file an endpoint.

pub mod blobs;
pub mod docs;
pub mod errors;
pub mod fallback;
pub mod fhe_keys;
pub mod health;
pub mod jobs;
pub mod livez;
pub mod me;
pub mod metrics;
pub mod oauth;
pub mod openapi;
pub mod readyz;
pub mod usage;
