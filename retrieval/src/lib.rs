//! How a result reaches its owner: what is signed, and how the plaintext is sealed. No I/O.
//!
//! ```text
//! worker      ComputeAttestation   this result came of these inputs, for this submitter
//! owner       RetrieveResult       seal the result of this job to this key
//! key manager SealedResult         this is what I sealed, to that key, for that request
//! key manager NetworkKey           this is the key that I hold: encrypt under it
//! owner       RegisterSubmitter    the jobs of this user are my address's
//! ```
//! All of them are EIP-712 typed data under the registry's [`Domain`].

mod answer;
mod recipient;
mod registration;
mod sealing;
mod signature;
mod typed_data;

pub use answer::{Answer, Base64, Expectations, Mode, OpenAnswerError, verify_and_open};
pub use recipient::{InvalidKey, PublicKey, RecipientKey};
pub use registration::Registration;
pub use sealing::{INFO, OpenError, SUITE, Sealed, aad, open, seal};
pub use signature::{InvalidSignature, Signature, Signer};
pub use typed_data::{Attestation, Domain, NetworkKeyClaim, Retrieval, SealedClaim};
