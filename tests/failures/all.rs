//! All of them under one name, so that a runner can leave them for a run of their own.

mod api;
mod backlog;
mod batcher_told;
mod billing;
mod cancel;
mod chain;
mod database;
mod dropped;
mod engine;
mod health;
mod limits;
mod nodes;
mod reorganisations;
mod schedule;
mod sender;
mod sender_dies;
mod signers;
mod stack;
mod worker;
