//! The parent side of computing on ciphertexts: keys, inputs, checkpoints and attestations here; tfhe's bytes are read
//! and computed on in a child process alone.

mod attester;
mod checkpoints;
mod children;
mod codec;
mod conversation;
mod network_key;
mod process;

pub use attester::Attester;
pub use checkpoints::Checkpoints;
pub use children::{ChildOptions, Children, Lease};
pub use conversation::{Ended, Listener, Phase};
pub use network_key::NetworkKey;
pub use process::Child;
