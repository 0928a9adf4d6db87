//! The parent side of computing on ciphertexts: keys, inputs, checkpoints and attestations here; tfhe's bytes are read
//! and computed on in a child process alone.

mod attester;
mod checkpoints;
mod children;
mod codec;
mod conversation;
mod inputs;
mod network_key;
mod process;
mod request;

pub use attester::Attester;
pub use checkpoints::Checkpoints;
pub use children::{ChildOptions, Children, Lease};
pub use conversation::{Ended, KEY_TIME, Listener, Phase};
pub use inputs::{InputSource, Inputs, InputsRefused};
pub use network_key::NetworkKey;
pub use process::Child;
pub(crate) use request::read_request;
