//! Why the key manager does not decrypt: one variant a reason, each with a code of docs/errors.

use jobs::ErrorCode;
use retrieval::{InvalidKey, InvalidSignature};
use thiserror::Error;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::proto::ERROR_CODE;

/// A broken rule. The sentence may be shown to the client; causes that only the operator may see are logged where they
/// arise.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the encrypted result is too large")]
    TooLarge,
    #[error("the result is not the one that the leaf confirms")]
    OtherResult,
    #[error("the leaf or the attestation speaks of another job")]
    OtherJob,
    #[error("the job has no result")]
    NoResult,
    #[error("the deadline that was signed has passed")]
    Expired,
    #[error(transparent)]
    PublicKey(#[from] InvalidKey),
    #[error("the retrieval is not signed: {0}")]
    Signature(#[from] InvalidSignature),
    #[error(
        "the signer of this request is neither the job's submitter nor has it a grant; who signed another job, nonce, key, \
         deadline, chain or registry than the request's looks like a stranger"
    )]
    NotTheOwner,
    #[error("the signer's grant has been revoked")]
    Revoked,
    #[error("the signer's grant is not final yet")]
    GrantNotFinal,
    #[error("the result is not attested: {0}")]
    Attestation(&'static str),
    #[error("the result is encrypted under a key that this key manager does not hold")]
    OtherKey,
    #[error("the result is not confirmed on the key manager's chain yet")]
    NotConfirmed,
    #[error("the result's confirmation is not final yet: more blocks must follow it")]
    NotFinal,
    #[error("the proofs do not lead from the leaf to a confirmed batch")]
    NotIncluded,
    #[error("too few of its nodes answer, or they are many blocks apart, so that what is final cannot be told")]
    ChainUnavailable,
    #[error("its nodes disagree about the chain")]
    ChainDisagrees,
    #[error("the contract at its registry's address is not the registry that it knows")]
    AnotherRegistry,
    #[error("the nonce has been used for another request, or more than ten minutes ago; sign a new one")]
    NonceReplayed,
    #[error("the key manager failed")]
    Failed,
}

impl Refusal {
    /// The code of docs/errors.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::PublicKey(_) => ErrorCode::InvalidRequest,
            Self::TooLarge => ErrorCode::PayloadTooLarge,
            Self::OtherResult | Self::OtherJob | Self::NoResult | Self::NotIncluded => ErrorCode::ResultUnverified,
            Self::Signature(_) | Self::NotTheOwner => ErrorCode::SignatureInvalid,
            Self::Expired => ErrorCode::SignatureExpired,
            Self::Revoked => ErrorCode::AccessRevoked,
            Self::Attestation(_) => ErrorCode::AttestationInvalid,
            Self::OtherKey => ErrorCode::KeyMismatch,
            Self::GrantNotFinal | Self::NotConfirmed | Self::NotFinal => ErrorCode::ResultNotReady,
            Self::ChainUnavailable | Self::ChainDisagrees | Self::AnotherRegistry => ErrorCode::ServiceUnavailable,
            Self::NonceReplayed => ErrorCode::NonceReplayed,
            Self::Failed => ErrorCode::InternalError,
        }
    }

    fn grpc_code(&self) -> Code {
        match self.code() {
            ErrorCode::InvalidRequest | ErrorCode::PayloadTooLarge => Code::InvalidArgument,
            ErrorCode::ServiceUnavailable => Code::Unavailable,
            ErrorCode::InternalError => Code::Internal,
            ErrorCode::ResultNotReady => Code::FailedPrecondition,
            ErrorCode::NonceReplayed => Code::AlreadyExists,
            _ => Code::PermissionDenied,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut status = Self::new(refusal.grpc_code(), refusal.to_string());
        status.metadata_mut().insert(ERROR_CODE, MetadataValue::from_static(refusal.code().as_str()));
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientError;

    #[test]
    fn callers_see_the_code_and_the_sentence() {
        let seen = ClientError::from(Status::from(Refusal::NonceReplayed));
        assert!(matches!(
            &seen,
            ClientError::Refused { code: ErrorCode::NonceReplayed, detail } if detail.starts_with("the nonce has been used")
        ));
        assert!(!seen.is_retryable());
        assert!(ClientError::from(Status::from(Refusal::ChainDisagrees)).is_retryable());
        assert!(matches!(ClientError::from(Status::unauthenticated("no")), ClientError::Credential(_)));
    }

    /// One of each; whoever adds another one is asked for its page here.
    fn every_refusal() -> Vec<Refusal> {
        let all = vec![
            Refusal::Malformed("there is no leaf"),
            Refusal::TooLarge,
            Refusal::OtherResult,
            Refusal::OtherJob,
            Refusal::NoResult,
            Refusal::Expired,
            Refusal::PublicKey(InvalidKey::NotPem),
            Refusal::Signature(InvalidSignature::Unrecoverable),
            Refusal::NotTheOwner,
            Refusal::Revoked,
            Refusal::GrantNotFinal,
            Refusal::Attestation("it is not signed by a known worker"),
            Refusal::OtherKey,
            Refusal::NotConfirmed,
            Refusal::NotFinal,
            Refusal::NotIncluded,
            Refusal::ChainUnavailable,
            Refusal::ChainDisagrees,
            Refusal::AnotherRegistry,
            Refusal::NonceReplayed,
            Refusal::Failed,
        ];
        for refusal in &all {
            match refusal {
                Refusal::Malformed(_) | Refusal::TooLarge | Refusal::OtherResult | Refusal::OtherJob => {}
                Refusal::NoResult | Refusal::Expired | Refusal::PublicKey(_) | Refusal::Signature(_) => {}
                Refusal::NotTheOwner | Refusal::Revoked | Refusal::GrantNotFinal | Refusal::Attestation(_) => {}
                Refusal::OtherKey | Refusal::NotConfirmed | Refusal::NotFinal | Refusal::NotIncluded => {}
                Refusal::ChainUnavailable | Refusal::ChainDisagrees | Refusal::AnotherRegistry => {}
                Refusal::NonceReplayed | Refusal::Failed => {}
            }
        }
        all
    }

    fn page(code: ErrorCode) -> String {
        std::fs::read_to_string(format!("{}/../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// As the API tells it: it makes a sentence, and reads a public key itself.
    fn told(refusal: &Refusal) -> String {
        let said = refusal.to_string();
        match (refusal, refusal.code()) {
            (Refusal::PublicKey(_), _) => format!("is not acceptable: {said}"),
            (_, ErrorCode::ServiceUnavailable) => format!("The key manager cannot read the chain: {said}."),
            _ => {
                let (first, rest) = said.split_at(1);
                format!("{}{rest}.", first.to_uppercase())
            }
        }
    }

    #[test]
    fn the_pages_show_what_is_said() {
        for refusal in every_refusal() {
            let (page, told) = (page(refusal.code()), told(&refusal));
            assert!(page.contains(&format!("\"{told}\"")), "{} does not show: {told}", refusal.code());
        }
        // The forms of a signature that the API itself refuses.
        for form in [InvalidSignature::Length, InvalidSignature::RecoveryId, InvalidSignature::HighS] {
            assert!(page(ErrorCode::SignatureInvalid).contains(&format!("\"The signature: {form}.\"")), "{form}");
        }
        assert!(page(ErrorCode::InvalidRequest).contains(&InvalidKey::NotP256.to_string()));
    }

    /// Where a code has its example from here, it is the example.
    #[test]
    fn the_examples_are_what_is_said() {
        for refusal in [
            Refusal::NotTheOwner,
            Refusal::Expired,
            Refusal::Revoked,
            Refusal::NonceReplayed,
            Refusal::NotIncluded,
            Refusal::Attestation("it is not signed by a known worker"),
        ] {
            let detail = format!("\n  \"detail\": \"{}\",\n", told(&refusal));
            assert!(page(refusal.code()).contains(&detail), "{detail}");
        }
    }
}
