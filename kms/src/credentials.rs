//! Who calls: the API may ask for decryption, a worker for keys alone.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::Status;

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

    /// Who sent these headers.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for nobody we know.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let given: [u8; 32] = Sha256::digest(token).into();
        match (given.ct_eq(&self.api).into(), given.ct_eq(&self.worker).into()) {
            (true, _) => Ok(Caller::Api),
            (_, true) => Ok(Caller::Worker),
            _ => Err(Status::unauthenticated("the credential is missing or wrong")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn callers_are_told_apart_and_strangers_kept_out() {
        let credentials = Credentials::new("api secret", "worker secret").unwrap();
        assert_eq!(credentials.caller(&headers("Bearer api secret")).unwrap(), Caller::Api);
        assert_eq!(credentials.caller(&headers("Bearer worker secret")).unwrap(), Caller::Worker);
        for stranger in ["Bearer ", "Bearer api", "api secret", "bearer api secret", "Bearer api secret "] {
            assert_eq!(credentials.caller(&headers(stranger)).unwrap_err().code(), Code::Unauthenticated, "{stranger}");
        }
        assert_eq!(credentials.caller(&HeaderMap::new()).unwrap_err().code(), Code::Unauthenticated);
    }

    #[test]
    fn credentials_that_keep_nobody_out_are_refused() {
        assert_eq!(Credentials::new("", "b").err(), Some(InvalidCredentials::Empty));
        assert_eq!(Credentials::new("a", "").err(), Some(InvalidCredentials::Empty));
        assert_eq!(Credentials::new("a", "a").err(), Some(InvalidCredentials::Same));
    }
}
