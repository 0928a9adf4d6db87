//! What holds of the checkout itself: who may import whom, which commands documents print, what `make setup` asks of a
//! machine, what docker-compose.yml says about the registry, what the finance guide says about prices, and what the page
//! about limits says about those of plans.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod commands;
mod compose;
mod limits;
mod prices;
mod rooms;
mod setup;
