//! What holds of the checkout itself: who may import whom, and what `make setup` asks of a machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod rooms;
mod setup;
