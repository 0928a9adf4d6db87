//! What holds of the checkout itself: who may import whom, which commands, targets, links and metrics documents print, what
//! `make setup` asks of a machine, what docker-compose.yml says about the registry, what the finance guide says about
//! prices, and what the page about limits says about those of plans.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod commands;
mod compose;
mod documents;
mod limits;
mod links;
mod metrics;
mod prices;
mod rooms;
mod setup;
mod targets;
