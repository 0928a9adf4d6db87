//! Logins of devices (RFC 8628): a device begins, a person decides on a page.

pub mod authorization;
pub mod decision;
mod page;
pub mod show;

/// Where a device begins.
pub const AUTHORIZATION_PATH: &str = "/v1/oauth/device_authorization";
/// The page on which a person decides.
pub const PAGE_PATH: &str = "/v1/oauth/device";
