//! The store on a database of its own: what must hold whoever calls, in whatever order, however many at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod database;
mod outbox;
#[allow(dead_code, reason = "the harness waits for more")]
#[path = "../../../tests/harness/patience.rs"]
mod patience;
mod reads;
mod relay;

mod accounts;
mod admission;
mod atomicity;
mod audit;
mod batches;
mod begin;
mod credits;
mod encrypted;
mod events;
mod failed_jobs;
mod gas;
mod hours;
mod ledger;
mod limits;
mod lost;
mod migrating;
mod notices;
mod notifications;
mod overdue;
mod people;
mod periods;
mod quotes;
mod resync;
mod roles;
mod starts;
mod top_ups;
mod transactions;
mod transitions;
mod unavailable;
mod usage;
