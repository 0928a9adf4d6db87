//! The key manager: holds the network key, decrypts for the owner alone.
//!
//! Whoever asks for a plaintext brings a result, its leaf, proofs and signatures; nothing of it is believed. The rules
//! stand in `rules`, in the order in which they are checked.

mod client;
mod convert;
mod error;
pub mod proto;

pub use client::{Access, Certificates, Client};
pub use convert::{Decryption, KeyFile, Manifest};
pub use error::ClientError;
