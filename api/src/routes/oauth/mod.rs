//! The issuer's endpoints: tokens (RFC 6749), revocation (RFC 7009), logins of devices (RFC 8628), keys and metadata
//! (RFC 8414).

mod client_assertion;
pub mod client_authentication;
pub mod device;
mod form;
mod grants;
pub mod jwks;
pub mod metadata;
pub mod refusal;
pub mod revoke;
pub mod token;

pub use client_assertion::public_keys;
