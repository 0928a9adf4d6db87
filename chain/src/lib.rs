//! The EVM side: deploys the registry, sends batches, looks for their confirmation and verifies receipts.
//!
//! Every call is one small step that a durable activity can repeat. Nothing is kept between calls, above all no nonce:
//! what was signed is the caller's to write down before it is sent.

mod access;
mod account;
mod administration;
#[cfg(feature = "aws-kms")]
mod aws_key;
mod client;
mod confirmation;
mod deploy;
pub mod development;
mod endpoints;
mod error;
mod fees;
mod gas;
mod history;
mod inspection;
mod keystore;
mod node;
mod redaction;
mod refusal;
mod rpc;
mod sender;
mod signer;
mod signing;
mod signing_server;
mod silence;
pub mod verify;

pub use access::{AccessChange, ConfirmedLeaf};
pub use account::{Account, Mined, Place, Sending};
pub use administration::{Administration, Change, ContractCall, Cost, Role, Step};
pub use client::{ChainClient, ChainConfig, TransactionCount};
pub use confirmation::{Confirmed, Search, Standing, Stretch};
pub use deploy::{Admin, ensure_key_manager, ensure_registry, registry_address};
pub use endpoints::Endpoints;
pub use error::{ChainError, Rejection, RevertReason};
pub use fees::{FeePolicy, Fees, Market};
pub use gas::Gas;
pub use history::{ConfirmedBatch, History};
pub use inspection::{AccountView, ChainView, Code, RegistryView};
pub use node::{Block, Node};
pub use refusal::Refusal;
pub use rpc::check_rpc_url;
pub use sender::{Estimate, Landing, Outcome, Sender};
pub use signer::{RemoteSigner, Signer, Signing};
pub use signing::{SignedTx, address_of};
pub use signing_server::SigningServer;
