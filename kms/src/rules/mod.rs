//! The rules of user decryption. Everything in a request is what the caller says until a rule has checked it.
//!
//! | step | file | rule |
//! |---|---|---|
//! | 1 | `request` | sizes and forms; the job's id is lower case and hyphenated; the key is P-256 |
//! | 2 | `statement` | result bytes, leaf, attestation and deadline agree; the worker is known; who signed the retrieval |
//! | 3 | `witness` | the chain, read by ourselves: the leaf is final, and so is the signer's grant |
//! | 4 | `nonces` | the nonce is fresh, or this is the identical request |

mod nodes;
pub(crate) mod request;
pub(crate) mod statement;
pub(crate) mod witness;
