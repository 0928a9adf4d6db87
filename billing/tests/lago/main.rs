//! The client against the stand-in, through HTTP, each test with a stand-in of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod conformance;
mod current_usage;
mod delivery;
mod documents;
mod failures;
mod harness;
mod periods;
mod prepaid;
mod price_drift;
mod provisioning;
mod standin;
mod subscriptions;
mod wallets;
mod webhooks;
