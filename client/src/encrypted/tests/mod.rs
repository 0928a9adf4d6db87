//! Encrypted jobs against an API of this process: the wire, the checks, the refusals.

mod network_key;
mod own_key;
mod retrieval;
mod service;
mod uploads;
