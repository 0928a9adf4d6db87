//! The roles of the binary, one file a subcommand. Each reads its settings, builds its parts and runs until told to stop.

pub mod api;
pub mod billing;
mod billing_system;
pub mod chain;
pub mod clients;
mod closed;
pub mod config;
mod confirmation;
pub mod credits;
mod cut;
pub mod fhe_child;
mod health;
pub mod health_check;
mod key_manager;
pub mod kms;
pub mod lago_standin;
mod ledger_owner;
mod limits;
pub mod login_code;
pub mod migrate;
mod oidc;
pub mod openapi;
pub mod parts;
pub mod policy;
mod process;
mod retirements;
mod stand_in;
pub mod temporal;
pub mod tenants;
pub mod token;
mod token_keys;
pub mod worker;

use process::Role;
