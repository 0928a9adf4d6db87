//! The connection to Temporal: client, payload codec, namespace set-up, and the calls that the API and workers make.

pub mod codec;
pub mod codec_server;
mod connect;
mod engine;
pub mod history;
pub mod setup;

pub use connect::{Target, connect, data_converter, wait_connected};
pub use engine::{Engine, EngineError, RunState};
pub use temporalio_client::Client;
