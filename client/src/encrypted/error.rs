//! What can go wrong with an encrypted job on the client's side.

use std::io;

use alloy::primitives::{Address, B256};
use chain::ChainError;
use chain::verify::{Outcome, Report, Verdict};
use fhe::decrypt::DecryptError;
use fhe::encrypt::EncryptError;
use fhe::keys::KeyError;
use retrieval::{InvalidKey, InvalidSignature, OpenAnswerError};
use thiserror::Error;

use crate::error::ClientError;

/// Why values were not encrypted, or a result was not opened.
#[derive(Debug, Error)]
pub enum EncryptedError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The API signed off on another signature than the owner's.
    #[error("{source}")]
    OtherSubmitter {
        source: ClientError,
        /// Who may read the result.
        owner: Address,
        /// Who asked.
        signer: Address,
    },
    /// Access to a result is granted by its submitter alone.
    #[error("the job belongs to {owner}, who alone grants access to its result; this is the key of {signer}")]
    NotTheOwner { owner: Address, signer: Address },
    /// A plain job.
    #[error("a plain job's result is not encrypted: whoever may see the job reads it, and there is nothing to grant")]
    NothingToGrant,
    /// There is no key manager behind this API, or it has not reached it yet.
    #[error("this API knows no network key (now); encrypt under a key of your own, or try again")]
    NoNetworkKey,
    /// Bytes of the network key are not those that it names.
    #[error("the network key's {part} has SHA-256 {actual}, not {expected}")]
    KeyPart { part: &'static str, expected: B256, actual: B256 },
    /// The network key's id does not follow from its parts.
    #[error("the network key calls itself {stated}, but its parts make {actual}")]
    KeyId { stated: B256, actual: B256 },
    /// The network has another key than the caller expects.
    #[error("the network key is {actual}, not {expected}")]
    OtherNetworkKey { expected: B256, actual: B256 },
    /// Nobody whom the caller believes has signed the network key.
    #[error("the network key {key_id} is not signed by the key manager {key_manager}: nothing is encrypted under it")]
    UnsignedNetworkKey { key_id: B256, key_manager: Address },
    /// Bytes that are no key, or no key of these parameters.
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The result is under another key than the caller holds.
    #[error("the result is under key {of_result}, not under {own}")]
    OtherKey { of_result: B256, own: B256 },
    /// The secret key of a submitter or of a recipient cannot be used.
    #[error("a submitter's key is 32 bytes in 0x-hex")]
    SubmitterKey,
    #[error(transparent)]
    RecipientKey(#[from] InvalidKey),
    #[error(transparent)]
    Signing(#[from] InvalidSignature),
    /// A file cannot be read or written.
    #[error("cannot {doing} {file}: {source}")]
    File { doing: &'static str, file: String, source: io::Error },
    /// Nobody says who the key manager is.
    #[error("neither an EVM node nor the key manager's address is known, so that no answer can be believed")]
    NoTrust,
    /// The registry pins no key manager.
    #[error("the registry {registry} pins no key manager")]
    NoKeyManager { registry: Address },
    /// The registry pins another key manager than the caller expects.
    #[error("the registry pins the key manager {pinned}, not {expected}")]
    OtherKeyManager { pinned: Address, expected: Address },
    /// The registry pins another key manager than this user has met there before.
    #[error(
        "the registry pins the key manager {pinned} now; until now it was {known} ({file}). If its operator announced the \
         change, name the new one once (--key-manager {pinned}); if not, somebody took over the registry"
    )]
    KeyManagerChanged { known: Address, pinned: Address, file: String },
    /// The API speaks of another registry than the caller believes.
    #[error("the API speaks of the registry {stated}, not of {expected}")]
    OtherRegistry { stated: Address, expected: Address },
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The job's receipt does not verify, or could not be checked; the report says why.
    #[error("{}", complaint(.0))]
    Receipt(Box<Report>),
    /// The receipt is not one, or speaks of something else.
    #[error("the job's receipt {0}")]
    WrongReceipt(String),
    /// The result's bytes are not the confirmed ones.
    #[error("the result's hash is {actual}, but {confirmed} was confirmed")]
    Unconfirmed { confirmed: B256, actual: B256 },
    /// The answer is not the key manager's to this request.
    #[error(transparent)]
    Answer(#[from] OpenAnswerError),
    /// The plaintext is not the JSON object that it should be.
    #[error("the plaintext is not the result's JSON: {0}")]
    Plaintext(String),
    /// A thread of ours died.
    #[error("the computation ended abnormally: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl EncryptedError {
    /// The call that failed, if it was one.
    #[must_use]
    pub fn client(&self) -> Option<&ClientError> {
        match self {
            Self::Client(error) | Self::OtherSubmitter { source: error, .. } => Some(error),
            _ => None,
        }
    }

    /// The result is not there yet; asking again later may succeed.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        self.client().is_some_and(ClientError::is_not_ready)
    }

    /// The EVM node gave no answer: nothing is known against what was to be checked, and nothing for it.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        match self {
            Self::Chain(error) => matches!(error, ChainError::Unavailable(_) | ChainError::Rejected { .. }),
            Self::Receipt(report) => report.verdict() == Verdict::Unknown,
            _ => false,
        }
    }

    /// Somebody or something is not what it claims to be, or cannot be checked: nothing that came with it is believed.
    #[must_use]
    pub fn is_distrust(&self) -> bool {
        match self {
            Self::Chain(ChainError::Configuration(_) | ChainError::CannotPay { .. } | ChainError::NotMined { .. }) => {
                false
            }
            Self::KeyPart { .. }
            | Self::KeyId { .. }
            | Self::OtherNetworkKey { .. }
            | Self::UnsignedNetworkKey { .. }
            | Self::OtherRegistry { .. }
            | Self::NoKeyManager { .. }
            | Self::OtherKeyManager { .. }
            | Self::KeyManagerChanged { .. }
            | Self::Chain(_)
            | Self::Receipt(_)
            | Self::WrongReceipt(_)
            | Self::Unconfirmed { .. }
            | Self::Answer(_)
            | Self::Plaintext(_) => true,
            Self::Client(_)
            | Self::OtherSubmitter { .. }
            | Self::NotTheOwner { .. }
            | Self::NothingToGrant
            | Self::NoNetworkKey
            | Self::Key(_)
            | Self::Encrypt(_)
            | Self::Decrypt(_)
            | Self::OtherKey { .. }
            | Self::SubmitterKey
            | Self::RecipientKey(_)
            | Self::Signing(_)
            | Self::File { .. }
            | Self::NoTrust
            | Self::Thread(_) => false,
        }
    }
}

fn complaint(report: &Report) -> String {
    let (outcome, verb) = match report.verdict() {
        Verdict::Unknown => (Outcome::Unanswered, "could not be checked"),
        Verdict::DoesNotVerify | Verdict::Verifies => (Outcome::Failed, "does not verify"),
    };
    let reasons: Vec<_> = report.with(outcome).map(|check| format!("{}: {}", check.name, check.explanation)).collect();
    format!("the job's receipt {verb}: {}", reasons.join("; "))
}
