//! The REST server.

pub mod dispatcher;
