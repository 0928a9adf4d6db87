//! All of them under one name, so that a runner can leave them for a run of their own.

mod accounts;
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
mod meanwhile;
mod months;
mod named;
mod plans;
mod program;
mod provisioning;
mod refused;
mod unread;
mod usage;
mod usage_file;
