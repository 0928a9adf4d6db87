//! What holds of the checkout itself: who may import whom, which commands documents print, what `make setup` asks of a
//! machine, what docker-compose.yml says about the registry.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod commands;
mod compose;
mod rooms;
mod setup;
