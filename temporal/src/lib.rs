//! The connection to Temporal: client, payload codec, namespace set-up, and the calls that the API and workers make.

pub mod codec;
pub mod codec_server;
mod connect;
mod engine;
mod engine_error;
pub mod history;
mod presence;
mod schedule;
pub mod setup;

pub use connect::{Target, connect, data_converter, wait_connected};
pub use engine::{Engine, RunState};
pub use engine_error::EngineError;
pub use presence::Presence;
pub use temporalio_client::Client;
