//! Ledger and billing system: what one owes the other, whatever stands between them. A PostgreSQL, a Lago stand-in, and in
//! front of it a network that loses things.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod agreement;
mod audited;
mod away;
mod by_hand;
mod clock;
mod closing;
mod corrections;
mod credits;
mod ended;
mod faults;
mod gas;
mod hourly;
mod hours;
mod invoices;
mod killed;
mod months;
mod plans;
mod program;
mod provisioning;
mod refused;
mod stage;
mod unread;
mod unreliable;

#[allow(dead_code, reason = "the harness draws more")]
#[path = "../harness/chance.rs"]
mod chance;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/database.rs"]
mod database;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../store/tests/store/outbox.rs"]
mod outbox;
