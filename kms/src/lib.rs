//! The key manager: holds the network key, decrypts for the owner alone.
//!
//! Whoever asks for a plaintext brings a result, its leaf, proofs and signatures; nothing of it is believed. The rules
//! stand in `rules`, in the order in which they are checked.

pub mod at_rest;
mod audit;
mod client;
mod convert;
mod credentials;
mod decryption;
mod door;
mod error;
pub mod keys;
mod nonces;
pub mod proto;
mod refusal;
mod rules;
mod server;

pub use client::{Access, Certificates, Client};
pub use convert::{Decryption, KeyFile, Manifest, SignedManifest};
pub use credentials::{Credentials, InvalidCredentials};
pub use error::ClientError;
pub use nonces::REPEAT_WINDOW;
pub use refusal::Refusal;
pub use rules::statement::Trust;
pub use rules::witness::{Finality, Witness};
pub use server::{Config, serve};
