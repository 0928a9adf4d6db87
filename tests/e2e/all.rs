//! All of them under one name, so that a runner can leave them for a run of their own.

mod audit;
mod billing;
mod cancel;
mod command_line;
mod crowd;
mod failed_on_chain;
mod idempotency;
mod ledger;
mod limits_of_time;
mod login;
mod one_job;
mod operator_json;
mod people;
mod policy;
mod quotes;
mod reconciliation;
mod secrets;
mod temporal_setup;
mod tenants;
mod workflow;
