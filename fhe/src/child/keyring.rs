//! The keys that this child holds: the network's, and one client's at a time.

use sha2::{Digest, Sha256};

use super::protocol::{Event, KeyMode, LoadKey, Refusal};
use crate::bytes::ReadError;
use crate::keys::{BoundParts, EvaluationKey, KeyError, KeyId, NetworkPublicKey};

/// Loaded keys.
#[derive(Default)]
pub(super) struct Keyring {
    network: Option<NetworkKey>,
    client: Option<EvaluationKey>,
}

/// The network's key and what its inputs are verified with.
pub(super) struct NetworkKey {
    pub(super) id: KeyId,
    pub(super) evaluation: EvaluationKey,
    pub(super) public: NetworkPublicKey,
}

/// A key to compute with.
pub(super) enum Loaded<'a> {
    Network(&'a NetworkKey),
    Client(&'a EvaluationKey),
}

impl Loaded<'_> {
    pub(super) fn evaluation(&self) -> &EvaluationKey {
        match self {
            Self::Network(key) => &key.evaluation,
            Self::Client(key) => key,
        }
    }
}

impl Keyring {
    /// The key, if it is loaded.
    pub(super) fn find(&self, mode: KeyMode, id: KeyId) -> Option<Loaded<'_>> {
        match mode {
            KeyMode::Network => self.network.as_ref().filter(|key| key.id == id).map(Loaded::Network),
            KeyMode::Client => self.client.as_ref().filter(|key| key.client_id() == id).map(Loaded::Client),
        }
    }

    /// Loads a key; the event says how it went.
    pub(super) fn load(&mut self, load: LoadKey) -> Event {
        match load.mode {
            KeyMode::Network => self.load_network(load),
            KeyMode::Client => self.load_client(load),
        }
    }

    fn load_network(&mut self, load: LoadKey) -> Event {
        let (Some(public_key), Some(crs)) = (load.public_key, load.crs) else {
            return failed("the network's key came without its public parts");
        };
        // The key manager made the key of this id: what the id binds was checked there.
        let evaluation_key = load.evaluation_key.0;
        let digest = Sha256::digest(&evaluation_key).into();
        let parts = BoundParts::new(KeyId(load.key_id), digest, &public_key.0, &crs.0).and_then(|bound| {
            let public = NetworkPublicKey::from_checked(bound)?;
            let evaluation = EvaluationKey::from_bytes(&evaluation_key, KeyMode::Network)?;
            match evaluation.tag() == public.tag() {
                true => Ok(NetworkKey { id: bound.id(), evaluation, public }),
                false => Err(KeyError::Unrelated),
            }
        });
        match parts {
            Ok(key) => {
                self.network = Some(key);
                Event::KeyLoaded
            }
            Err(error) => failed(&format!("the network's key: {error}")),
        }
    }

    fn load_client(&mut self, load: LoadKey) -> Event {
        // Two expanded keys need not be held at once.
        self.client = None;
        match EvaluationKey::from_bytes(&load.evaluation_key.0, KeyMode::Client) {
            Ok(key) if key.client_id() == KeyId(load.key_id) => {
                self.client = Some(key);
                Event::KeyLoaded
            }
            Ok(_) => failed("the client's key has another id"),
            Err(error) => refused(&error),
        }
    }
}

/// Reads a client's evaluation key and says whether it is sound.
pub(super) fn check(evaluation_key: &[u8]) -> Event {
    match EvaluationKey::from_bytes(evaluation_key, KeyMode::Client) {
        Ok(key) => Event::KeyChecked { key_id: key.client_id().0 },
        Err(error) => refused(&error),
    }
}

fn refused(error: &KeyError) -> Event {
    let reason = match error {
        KeyError::Read(ReadError::Parameters { .. }) | KeyError::Unrelated => Refusal::KeyMismatch,
        _ => Refusal::CiphertextInvalid,
    };
    Event::Refused { reason, detail: error.to_string() }
}

fn failed(detail: &str) -> Event {
    Event::Failed { detail: detail.to_owned() }
}
