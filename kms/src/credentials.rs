//! Who calls: the API may ask for decryption, a worker for keys alone.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// A caller, by its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Api,
    Worker,
}

/// The shared secrets, as hashes: of one length, and nothing to read in memory.
#[derive(Clone)]
pub struct Credentials {
    api: [u8; 32],
    worker: [u8; 32],
}

/// Credentials that would let somebody in who should stay out.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidCredentials {
    #[error("kms.api_credential and kms.worker_credential must not be empty")]
    Empty,
    #[error("kms.api_credential and kms.worker_credential must differ: a worker may not decrypt")]
    Same,
}

impl Credentials {
    /// The two secrets.
    ///
    /// # Errors
    /// One is empty, or both are the same.
    pub fn new(api: &str, worker: &str) -> Result<Self, InvalidCredentials> {
        if api.is_empty() || worker.is_empty() {
            return Err(InvalidCredentials::Empty);
        }
        if api == worker {
            return Err(InvalidCredentials::Same);
        }
        let hash = |text: &str| Sha256::digest(text).into();
        Ok(Self { api: hash(api), worker: hash(worker) })
    }

    /// Who sent this metadata.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody we know.
    pub(crate) fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let given: [u8; 32] = Sha256::digest(token).into();
        match (given.ct_eq(&self.api).into(), given.ct_eq(&self.worker).into()) {
            (true, _) => Ok(Caller::Api),
            (_, true) => Ok(Caller::Worker),
            _ => Err(Status::unauthenticated("the credential is missing or wrong")),
        }
    }

    /// Refuses everybody but the API.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` or `PERMISSION_DENIED`.
    pub(crate) fn require_api(&self, metadata: &MetadataMap) -> Result<(), Status> {
        match self.caller(metadata)? {
            Caller::Api => Ok(()),
            Caller::Worker => Err(Status::permission_denied("this credential may not ask for decryption")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn metadata(value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", value.parse().unwrap());
        metadata
    }

    #[test]
    fn callers_are_told_apart_and_strangers_kept_out() {
        let credentials = Credentials::new("api secret", "worker secret").unwrap();
        assert_eq!(credentials.caller(&metadata("Bearer api secret")).unwrap(), Caller::Api);
        assert_eq!(credentials.caller(&metadata("Bearer worker secret")).unwrap(), Caller::Worker);
        for stranger in ["Bearer ", "Bearer api", "api secret", "bearer api secret", "Bearer api secret "] {
            assert_eq!(
                credentials.caller(&metadata(stranger)).unwrap_err().code(),
                Code::Unauthenticated,
                "{stranger}"
            );
        }
        assert_eq!(credentials.caller(&MetadataMap::new()).unwrap_err().code(), Code::Unauthenticated);
        let worker = credentials.require_api(&metadata("Bearer worker secret"));
        assert_eq!(worker.unwrap_err().code(), Code::PermissionDenied);
    }

    #[test]
    fn credentials_that_keep_nobody_out_are_refused() {
        assert_eq!(Credentials::new("", "b").err(), Some(InvalidCredentials::Empty));
        assert_eq!(Credentials::new("a", "").err(), Some(InvalidCredentials::Empty));
        assert_eq!(Credentials::new("a", "a").err(), Some(InvalidCredentials::Same));
    }
}
