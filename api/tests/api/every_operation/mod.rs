//! One walk over every operation of the OpenAPI document: without a credential, with every kind of wrong one, as each role,
//! with a test key, and with other tenants' ids. [`table`] says what is right; an operation that is not in it fails.

mod audited;
mod contract;
mod credentials;
mod document;
mod methods;
mod others;
mod roles;
mod table;
mod world;

pub use document::concrete;
