//! The client against the stand-in, through HTTP, each test with a stand-in of its own.

mod current_usage;
mod delivery;
mod failures;
mod harness;
mod provisioning;
mod standin;
